#ifndef WINNOW_KERNELS_CUDA_FLOOR_WATCH_CUH_
#define WINNOW_KERNELS_CUDA_FLOOR_WATCH_CUH_

#include "kernels/cuda/score_block.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/threshold.cuh"

namespace winnow::kernels::cuda {

// What one warp does about the floors of its block's rows: tells the block what others have found,
// and looks for one itself. A floor takes a while to come, and is as right when it is older, so
// what is loaded is looked at some turns later and never waited for. Lane i does it for row i of
// the job.
struct FloorWatch {
  static constexpr int kTurns = 8;  // from one search to the next
  // From one turn to the next, of a warp that does nothing else.
  static constexpr uint32_t kTurnNanoseconds = 1500;

  const ScoreJob& job;
  ScoreMemory* memory;
  RowState* states;  // of the job's rows
  uint32_t units;    // of the job
  int turn;
  int row;  // whose floor is searched for
  bool found = false;
  uint32_t seen = 0;
  FloorSearch search = {};

  WINNOW_DEVICE FloorWatch(const ScoreArgs& args, const ScoreJob& of, ScoreMemory* shared,
                           uint32_t all_units)
      : job(of), memory(shared), states(args.states + of.first_row), units(all_units) {
    // At another time in each block.
    const int block = simt::BlockX() - job.first_block;
    turn = block % kTurns;
    row = block % job.rows;
  }

  // By a warp that does nothing else, until the barrier's first phase has ended.
  WINNOW_DEVICE void TurnUntil(uint64_t* barrier) {
    while (simt::Ballot(simt::CopyBarrierWaitFor(barrier, 0, kTurnNanoseconds)) == 0) Turn();
    Finish();
  }

  WINNOW_DEVICE void Turn() {
    const int now = turn;
    turn = turn + 1 == kTurns ? 0 : turn + 1;
    if (now == 0) {
      if (memory->rows[row].k <= units) search.Begin(&states[row]);
    } else if (now == kTurns / 2) {
      Take();
      found = memory->rows[row].k <= units && search.Continue(&states[row], memory->rows[row].k);
    } else if (now == kTurns - 1) {
      if (found) Raise(search.End());
      found = false;
      if (++row == job.rows) row = 0;
      if (simt::Lane() < job.rows) seen = simt::LoadRelaxed(&states[simt::Lane()].floor);
    }
  }

  // After all turns: the floors as they are now.
  WINNOW_DEVICE void Finish() {
    if (simt::Lane() < job.rows) seen = simt::LoadRelaxed(&states[simt::Lane()].floor);
    Take();
    simt::SyncWarp();
    for (row = 0; row < job.rows; ++row) {
      const uint32_t k = memory->rows[row].k;
      if (FloorOf(row) == 0 && k <= units) Raise(FindFloor(&states[row], k));
    }
  }

  WINNOW_DEVICE void Take() {
    if (simt::Lane() < job.rows) Set(simt::Lane(), seen);
  }
  WINNOW_DEVICE void Raise(uint32_t floor) {
    if (simt::Lane() != 0 || floor <= FloorOf(row)) return;
    simt::AtomicMax(&states[row].floor, floor);
    Set(row, floor);
  }
  WINNOW_DEVICE void Set(int i, uint32_t floor) {
    simt::AtomicMaxShared(&memory->rows[i].floor, floor);
  }
  WINNOW_DEVICE uint32_t FloorOf(int i) const {
    return simt::AtomicMaxShared(&memory->rows[i].floor, 0);
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FLOOR_WATCH_CUH_
