#ifndef WINNOW_KERNELS_CUDA_FLOOR_WATCH_CUH_
#define WINNOW_KERNELS_CUDA_FLOOR_WATCH_CUH_

#include "kernels/cuda/score_block.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/threshold.cuh"
#include "kernels/cuda/unit_counts.cuh"

namespace winnow::kernels::cuda {

// What one warp does about the floors of its block's rows: tells the block what others have found,
// and looks for one itself. Lane i does it for row i of the job.
struct FloorWatch {
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
    turn = simt::BlockX() - job.first_block;
    row = turn % job.rows;
  }

  // By a warp that does nothing else, until the barrier's first phase has ended. Each turn waits
  // for memory once, or twice where it searches: always for a row's first floor, which spares the
  // most, and then from time to time, as many blocks watch at once.
  WINNOW_DEVICE void TurnUntil(uint64_t* barrier) {
    constexpr int kTurnsOfSearch = 4;
    constexpr uint32_t kPauseNanoseconds = 200;
    const UnitPosts posts = {states, memory->posts};
    bool is_first = true;
    while (simt::Ballot(simt::CopyBarrierWaitFor(barrier, 0, is_first ? 0 : kPauseNanoseconds)) ==
           0) {
      posts.Collect();
      Look();
      const uint32_t k = memory->rows[row].k;
      is_first = k <= units && simt::Shuffle(simt::Lane() == 0 ? FloorOf(row) : 0, 0) == 0;
      if (++turn % kTurnsOfSearch != 0 && !is_first) {
        Take();
        continue;
      }
      search.Begin(&states[row]);
      Take();
      if (k <= units && search.Continue(&states[row], k)) Raise(search.End());
      MoveOn();
    }
    posts.Collect();
    Look();
    Take();
  }

  // Once all is scored, for rows of which too little was known until then.
  WINNOW_DEVICE void Complete() {
    bool is_incomplete = false;
    for (int i = 0; i < job.rows; ++i) {
      is_incomplete |= FloorOf(i) == 0 && memory->rows[i].k <= units;
    }
    if (!is_incomplete) return;
    UnitPosts{states, memory->posts}.Collect();
    Finish();
  }

  // A turn of a warp that scores: it never waits for what it loads, but looks at it some turns
  // later, as a floor is as right when it is older.
  WINNOW_DEVICE void Turn() {
    constexpr int kTurns = 8;
    const int now = turn++ % kTurns;
    const uint32_t k = memory->rows[row].k;
    if (now == 0) {
      if (k <= units) search.Begin(&states[row]);
    } else if (now == kTurns / 2) {
      Take();
      found = k <= units && search.Continue(&states[row], k);
    } else if (now == kTurns - 1) {
      if (found) Raise(search.End());
      found = false;
      MoveOn();
      Look();
    }
  }

  // After all turns: the floors as they are now.
  WINNOW_DEVICE void Finish() {
    Look();
    Take();
    simt::SyncWarp();
    for (row = 0; row < job.rows; ++row) {
      const uint32_t k = memory->rows[row].k;
      if (FloorOf(row) == 0 && k <= units) Raise(FindFloor(&states[row], k));
    }
  }

  WINNOW_DEVICE void MoveOn() { row = row + 1 == job.rows ? 0 : row + 1; }
  WINNOW_DEVICE void Look() {
    if (simt::Lane() < job.rows) seen = simt::LoadRelaxed(&states[simt::Lane()].floor);
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
