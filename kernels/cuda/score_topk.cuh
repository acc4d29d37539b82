#ifndef WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_
#define WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_

#include "kernels/cuda/floor_watch.cuh"
#include "kernels/cuda/group_score.cuh"
#include "kernels/cuda/score_keep.cuh"
#include "kernels/cuda/score_keys.cuh"
#include "kernels/cuda/score_queries.cuh"
#include "kernels/cuda/simt.h"

// Floor: one read of the keys, pages * KeyPageBytes (1,048,576 fp8 keys of 128 dims: 138 MB, 32 us
// at 4.3 TB/s), against 2 * rows * heads * dim operations per key on the tensor cores (64 heads:
// 17 GFLOP a row, 18 us at 949 TFLOP/s by wgmma, about 28 us at what mma.sync reaches). One row is
// bound by memory, more rows by the tensor cores.
//
// Keys are decoded once into registers (matrix A, entries as rows) and meet every head of every row
// (matrix B, from shared memory) there. The sum over heads is made in one order for every entry.
namespace winnow::kernels::cuda {

// Each warp by itself: it walks its units of 16 or 32 entries, and copies further ones into its own
// shared memory while it multiplies this one.
template <int kDimBlocks>  // of 32 dims
struct WarpScore {
  using Queries = WarpQueries<kDimBlocks>;
  using Keys = KeyStream<32 * kDimBlocks>;
  static constexpr int kTiles = Queries::kTiles;

  const ScoreArgs& args;
  const ScoreJob& job;
  ScoreMemory* memory;
  Queries queries;
  Keys keys;
  RowKeeper<false> keeper;
  FloorWatch floors;
  typename Queries::Keys a;

  WINNOW_DEVICE explicit WarpScore(const ScoreArgs& call)
      : args(call),
        job(JobOfBlock(call)),
        memory(reinterpret_cast<ScoreMemory*>(simt::SharedMemory())),
        queries(call, job, simt::SharedMemory() + sizeof(ScoreMemory)),
        keys(call, BlockPages(job), queries.End(job)),
        keeper(call, job, memory),
        floors(call, job, memory, Keys::kUnitsPerPage * job.page_count) {}

  WINNOW_DEVICE void Run() {
    simt::LetNextLaunch();
    for (int i = 0; i < args.stages; ++i) keys.Fetch(i, i);
    keeper.Begin(args, 0);
    queries.Load(args, job);
    simt::SyncBlock();
    for (int i = 0, stage = 0; keys.Has(i); ++i) {
      keys.Wait();
      const float scale = keys.Decode(stage, a);
      simt::SyncWarp();
      keys.Fetch(i + args.stages, stage);
      stage = stage + 1 == args.stages ? 0 : stage + 1;
      ScoreUnit(i, scale);
      if (simt::Warp() == 0) floors.Turn();
    }
    simt::CopyAsyncWait<0>();
    if (simt::Warp() == 0) floors.Finish();
    simt::SyncBlock();
    keeper.List(args.rows + job.first_row, Keys::Stages(queries.End(job)),
                size_t{1} * simt::Warps() * args.stages * keys.UnitBytes());
  }

  WINNOW_DEVICE void ScoreUnit(int i, float scale) {
    const PagePlace place = keys.PlaceOf(i);
    const auto entry = static_cast<uint32_t>(Keys::EntryOfLane());
    const bool held = entry < Keys::kUnitEntries && entry < place.held;
    const uint32_t position = held ? place.position + entry : kNoPosition;
    for (int row = 0; row < job.rows; ++row) {
      const uint32_t floor = keeper.AskFloor(row);
      keeper.Keep(row, floor, simt::Mul(SumOverHeads(row), scale), position);
    }
  }

  // sum_j w[j] * max(0, q[j] . key) of the lane's entry. Four lanes hold a part of each of theirs;
  // they pass on what is another's. A part's place among the summands does not depend on the entry.
  WINNOW_DEVICE float SumOverHeads(int row) {
    float sums[kTiles][2] = {};
    queries.Sum(a, row, sums);
    const bool odd = simt::Lane() % 2 != 0, upper = simt::Lane() % 4 >= 2;
    float mine[kTiles];
    WINNOW_UNROLL
    for (int t = 0; t < kTiles; ++t) {
      const float others = simt::ShuffleXor(odd ? sums[t][0] : sums[t][1], 1);
      mine[t] = simt::Add(odd ? sums[t][1] : sums[t][0], others);
    }
    if constexpr (kTiles == 1) return simt::Add(mine[0], simt::ShuffleXor(mine[0], 2));
    const float others = simt::ShuffleXor(upper ? mine[0] : mine[kTiles - 1], 2);
    return simt::Add(upper ? mine[kTiles - 1] : mine[0], others);
  }
};

// Calls fn.template operator()<Queries>() with what the call's queries are to be held in.
template <int kDimBlocks, typename Fn>
auto ForQueries(const ScoreArgs& args, Fn fn) {
  if (!args.by_groups) return fn.template operator()<WarpQueries<kDimBlocks>>();
  if (GroupOperand(args.format) == Operand::kBf16) {
    return fn.template operator()<GroupQueries<kDimBlocks, 64, Operand::kBf16>>();
  }
  return GroupColumns(args.format, args.heads) == 64
             ? fn.template operator()<GroupQueries<kDimBlocks, 64, Operand::kF16>>()
             : fn.template operator()<GroupQueries<kDimBlocks, 32, Operand::kF16>>();
}

template <int kDimBlocks, typename Queries>
WINNOW_DEVICE void ScoreBody(const ScoreArgs& args) {
  if constexpr (Queries::kByGroups) {
    GroupScore<kDimBlocks, Queries>(args).Run();
  } else {
    WarpScore<kDimBlocks>(args).Run();
  }
}

// Threads of a block at most.
template <int kDimBlocks, typename Queries>
inline constexpr int kScoreThreads = Queries::kByGroups ? GroupThreads(32 * kDimBlocks) : 512;

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_
