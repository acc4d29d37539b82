#ifndef WINNOW_KERNELS_CUDA_SCORE_KEEP_CUH_
#define WINNOW_KERNELS_CUDA_SCORE_KEEP_CUH_

#include "kernels/cuda/score_block.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/threshold.cuh"
#include "kernels/cuda/unit_counts.cuh"

namespace winnow::kernels::cuda {

// No entry's.
inline constexpr uint32_t kNoPosition = 0xffffffff;

// What a block keeps of what it scores, and what becomes of it. Each block has a part of a row's
// memory that has room for all its entries. At the end it lists what still reaches the floor.
template <bool kPosts>  // whether a warp of the block counts its units
struct RowKeeper {
  const ScoreJob& job;
  ScoreMemory* memory;
  RowState* states;     // of the job's rows
  uint32_t posted = 0;  // by this warp

  WINNOW_DEVICE RowKeeper(const ScoreArgs& args, const ScoreJob& of, ScoreMemory* shared)
      : job(of), memory(shared), states(args.states + of.first_row) {}

  // Before a barrier; by the block's threads from `thread` on.
  WINNOW_DEVICE void Begin(const ScoreArgs& args, int thread) const {
    const int i = simt::ThreadInBlock() - thread, block = simt::BlockX() - job.first_block;
    if (i < 0 || i >= job.rows) return;
    const ScoreRow& row = args.rows[job.first_row + i];
    const KeptPart part = PartOfBlock(job.page_count, job.blocks, block);
    memory->rows[i] = {.floor = 0,
                       .visible = row.visible,
                       .k = row.k,
                       .kept = row.kept + size_t{kPageEntries} * part.first,
                       .kept_count = 0,
                       .listed = 0,
                       .first = 0};
    if (block != 0) return;
    states[i].blocks = job.blocks;
    states[i].pages = job.page_count;
  }

  // Row i's floor as lane 0 knows it; for Keep, which may come later.
  WINNOW_DEVICE uint32_t AskFloor(int i) const {
    return simt::Lane() == 0 ? simt::AtomicMaxShared(&memory->rows[i].floor, 0) : 0;
  }

  // Keeps the lanes' entries that row i sees and that reach its floor. By a whole warp.
  WINNOW_DEVICE void Keep(int i, uint32_t asked_floor, float score, uint32_t position) {
    ScoreMemory::Row& row = memory->rows[i];
    const uint32_t floor = simt::Shuffle(asked_floor, 0);
    // Reaches, also if it is NaN, which only its order tells apart.
    if (simt::Ballot(!(score < LeastScore(floor))) == 0) return;
    const uint32_t ordered = OrderedBits(score);
    const bool keep = (position < row.visible) & (ordered >> kBinShift >= floor);
    const uint32_t takers = simt::Ballot(keep);
    if (takers == 0) return;
    const uint32_t at = ReserveShared(takers, &row.kept_count);
    if (keep) row.kept[at] = MakeCandidateKey(ordered, position);
    const uint32_t best = simt::ReduceMax(keep ? ordered >> kBinShift : 0);
    if (best <= floor) return;
    if (simt::Lane() == 0) Count(i, best);
    ++posted;
  }

  WINNOW_DEVICE void Count(int i, uint32_t bin) const {
    if constexpr (kPosts) {
      UnitPosts{states, memory->posts}.Post(posted, i, bin);
    } else {
      CountUnits(&states[i], bin, 1);
    }
  }

  // After all units and a barrier, by the whole block. `room` is shared memory that nobody else
  // uses any more.
  WINNOW_DEVICE void List(const ScoreRow* rows, std::byte* room, size_t room_bytes) {
    auto* const lists = reinterpret_cast<CandidateKey*>(room);
    const uint32_t capacity = room_bytes / sizeof(CandidateKey) / job.rows;
    for (int i = 0; i < job.rows; ++i) Gather(rows[i], i, lists + i * capacity, capacity);
    simt::SyncBlock();
    if (const int i = simt::ThreadInBlock(); i < job.rows) {
      const uint32_t count = Listed(i, capacity);
      memory->rows[i].first = count == 0 ? 0 : simt::AtomicAdd(&states[i].listed, count);
    }
    simt::SyncBlock();
    for (int i = 0; i < job.rows; ++i) {
      const uint32_t count = Listed(i, capacity);
      for (uint32_t j = simt::ThreadInBlock(); j < count; j += simt::ThreadsInBlock()) {
        const uint32_t at = memory->rows[i].first + j;
        if (at < kListCapacity) rows[i].list[at] = lists[i * capacity + j];
      }
    }
  }

  WINNOW_DEVICE uint32_t Listed(int i, uint32_t capacity) const {
    return memory->rows[i].listed < capacity ? memory->rows[i].listed : capacity;
  }

  // Of what the block kept for row i, what reaches the floor, to the block's list or, where that is
  // full, to the row's.
  WINNOW_DEVICE void Gather(const ScoreRow& row, int i, CandidateKey* list, uint32_t capacity) {
    const CandidateKey* const kept = memory->rows[i].kept;
    const uint32_t count = memory->rows[i].kept_count;
    constexpr uint32_t kAtOnce = 8;
    const uint32_t step = kAtOnce * simt::ThreadsInBlock();
    for (uint32_t begin = simt::ThreadInBlock(); begin - simt::Lane() < count; begin += step) {
      CandidateKey keys[kAtOnce];
      WINNOW_UNROLL
      for (uint32_t u = 0; u < kAtOnce; ++u) {
        const uint32_t at = begin + u * simt::ThreadsInBlock();
        keys[u] = at < count ? kept[at] : kEndOfKept;
      }
      WINNOW_UNROLL
      for (uint32_t u = 0; u < kAtOnce; ++u) ListKey(keys[u], row, i, list, capacity);
    }
    const int block = simt::BlockX() - job.first_block;
    const uint32_t room = kPageEntries * PartOfBlock(job.page_count, job.blocks, block).count;
    if (simt::ThreadInBlock() == 0 && count < room) memory->rows[i].kept[count] = kEndOfKept;
  }

  WINNOW_DEVICE void ListKey(CandidateKey key, const ScoreRow& row, int i, CandidateKey* list,
                             uint32_t capacity) {
    const uint32_t floor = memory->rows[i].floor;
    const bool keep = key != kEndOfKept && static_cast<uint32_t>(key >> (32 + kBinShift)) >= floor;
    const uint32_t takers = simt::Ballot(keep);
    if (takers == 0) return;
    const uint32_t at = ReserveShared(takers, &memory->rows[i].listed);
    if (keep && at < capacity) list[at] = key;
    const bool over = keep && at >= capacity;
    const uint32_t others = simt::Ballot(over);
    if (others == 0) return;
    const uint32_t beyond = Reserve(others, &states[i].listed);
    if (over && beyond < kListCapacity) row.list[beyond] = key;
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_KEEP_CUH_
