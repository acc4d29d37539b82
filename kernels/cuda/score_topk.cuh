#ifndef WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_
#define WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_

#include "kernels/cuda/key_fragments.cuh"
#include "kernels/cuda/score_queries.cuh"
#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/threshold.cuh"

// Floor: one read of the keys, pages * KeyPageBytes (1,048,576 fp8 keys of 128 dims: 138 MB, 32 us
// at 4.3 TB/s), against 2 * rows * heads * dim operations per key on the tensor cores (64 heads:
// 17 GFLOP a row, 17 us at 989 TFLOP/s by wgmma, about 28 us at what mma.sync reaches). One row is
// bound by memory, more rows by the tensor cores.
//
// Each warp walks the keys on its own, a unit of 16 or 32 entries at a time: it copies the unit
// after the next into its own shared memory while it multiplies this one. Keys are decoded once
// into registers (matrix A, entries as rows) and meet every head of every row (matrix B, from
// shared memory) there. Where four warps multiply together, their units are the quarters of a page,
// and they meet at each product. The sum over heads is made in one order for every entry.
namespace winnow::kernels::cuda {

template <int kDimBlocks, typename Queries>  // of 32 dims
struct ScoreKernel {
  static constexpr int kDim = 32 * kDimBlocks;
  static constexpr int kTiles = Queries::kTiles;
  static constexpr int kUnitEntries = 16 * kTiles;
  static constexpr int kUnitsPerPage = kPageEntries / kUnitEntries;

  const ScoreArgs& args;
  const ScoreJob& job;
  Queries queries;
  int code_bytes;     // of a unit
  int scale_bytes;    // of a unit
  uint32_t units;     // of all pages of the job
  std::byte* stages;  // [kStagesPerWarp, code_bytes + scale_bytes] of this warp
  typename Queries::Keys a;

  WINNOW_DEVICE explicit ScoreKernel(const ScoreArgs& call)
      : args(call), job(JobOfBlock(call)), queries(call, job, simt::SharedMemory()) {
    code_bytes = kTiles * TileBytes(args.format, kDim);
    scale_bytes = args.format == KeyFormat::kMxFp4  ? kUnitEntries * kDimBlocks
                  : args.format == KeyFormat::kBf16 ? 0
                                                    : kUnitEntries * 4;
    units = job.page_count * kUnitsPerPage;
    stages = queries.End(job) + simt::Warp() * kStagesPerWarp * (code_bytes + scale_bytes);
  }

  WINNOW_DEVICE static const ScoreJob& JobOfBlock(const ScoreArgs& args) {
    int i = 0;
    while (i + 1 < args.job_count && args.jobs[i + 1].first_block <= simt::BlockX()) ++i;
    return args.jobs[i];
  }

  WINNOW_DEVICE void Run() {
    const uint32_t stride = job.blocks * simt::Warps();
    uint32_t unit = (simt::BlockX() - job.first_block) * simt::Warps() + simt::Warp();
    for (int s = 0; s < kStagesPerWarp; ++s) Fetch(unit + s * stride, KeysOf(unit + s * stride), s);
    // A page is looked up a step before its copy begins: its address comes from the device's
    // memory, that of the list it stands in mostly from a cache.
    const std::byte* next_keys = KeysOf(unit + kStagesPerWarp * stride);
    queries.Load(args, job);
    simt::SyncBlock();
    for (int i = 0; unit < units; unit += stride, ++i) {
      const uint32_t ahead = unit + kStagesPerWarp * stride;
      const std::byte* const keys = next_keys;
      next_keys = KeysOf(ahead + stride);
      simt::CopyAsyncWait<kStagesPerWarp - 1>();
      simt::SyncWarp();
      const float scale = Decode(i % kStagesPerWarp);
      simt::SyncWarp();
      Fetch(ahead, keys, i % kStagesPerWarp);
      ScoreUnit(unit, RunOf(unit), scale, i % simt::Warps() == simt::Warp());
    }
  }

  // Of the job's units, the run and the number in it of the page that one is part of.
  WINNOW_DEVICE const DeviceRun& RunOf(uint32_t unit) const {
    return job.runs[unit / kUnitsPerPage >> job.page_bits];
  }
  WINNOW_DEVICE uint32_t PageInRun(uint32_t unit) const {
    return unit / kUnitsPerPage & ((1u << job.page_bits) - 1);
  }
  // Null past the last unit.
  WINNOW_DEVICE const std::byte* KeysOf(uint32_t unit) const {
    return unit < units ? RunOf(unit).pages[PageInRun(unit)] : nullptr;
  }

  // Begins to copy a unit's codes and scales; a group of copies even where there is no unit.
  WINNOW_DEVICE void Fetch(uint32_t unit, const std::byte* page, int stage) {
    if (unit < units) {
      const int part = static_cast<int>(unit % kUnitsPerPage);
      std::byte* to = stages + stage * (code_bytes + scale_bytes);
      CopyRun(to, page + part * code_bytes, code_bytes);
      to += code_bytes;
      const std::byte* scales = page + kUnitsPerPage * code_bytes;
      if (args.format == KeyFormat::kMxFp4) {
        for (int i = simt::Lane(); i < kDimBlocks * kTiles; i += 32) {
          const int block = i / kTiles, tile = i % kTiles;
          simt::CopyAsync16(to + 16 * i,
                            scales + kPageEntries * block + part * kUnitEntries + 16 * tile);
        }
      } else {
        CopyRun(to, scales + part * scale_bytes, scale_bytes);
      }
    }
    simt::CopyAsyncCommit();
  }

  WINNOW_DEVICE void CopyRun(std::byte* to, const std::byte* from, int bytes) {
    for (int at = 16 * simt::Lane(); at < bytes; at += 512) simt::CopyAsync16(to + at, from + at);
  }

  // The entry of its unit whose score a lane ends up with; lanes beyond the unit have none.
  WINNOW_DEVICE static int EntryOfLane() {
    const int c = simt::Lane() % 4;
    return c / 2 * 16 + simt::Lane() / 4 * 2 + c % 2;
  }

  // Codes to `a`; returns the scale of the lane's entry.
  WINNOW_DEVICE float Decode(int stage) {
    const std::byte* codes = stages + stage * (code_bytes + scale_bytes);
    const std::byte* scales = codes + code_bytes;
    WINNOW_UNROLL
    for (int t = 0; t < kTiles; ++t) {
      const std::byte* tile = codes + t * (code_bytes / kTiles);
      WINNOW_UNROLL
      for (int step = 0; step < 2 * kDimBlocks; ++step) {
        DecodeKeys(args.format, tile, scales + 16 * t, kUnitEntries, step, a[t][step]);
      }
    }
    const bool scaled = args.format == KeyFormat::kFp8E4M3 || args.format == KeyFormat::kInt8;
    const int entry = EntryOfLane();
    if (!scaled || entry >= kUnitEntries) return 1.0f;
    return reinterpret_cast<const float*>(scales)[entry];
  }

  WINNOW_DEVICE void ScoreUnit(uint32_t unit, const DeviceRun& run, float scale, bool raise_floor) {
    const int entry = EntryOfLane();
    const uint32_t in_page = unit % kUnitsPerPage * kUnitEntries + entry;
    const uint32_t in_run = PageInRun(unit) * kPageEntries + in_page;
    const bool held = entry < kUnitEntries && in_run < run.entries;
    const uint32_t position = run.first_position + in_run;
    for (int i = 0; i < job.rows; ++i) {
      const ScoreRow& row = args.rows[job.first_row + i];
      RowState* state = &args.states[job.first_row + i];
      const uint32_t floor = simt::LoadRelaxed(&state->floor);
      const bool valid = held && position < row.visible;
      const uint32_t ordered = OrderedBits(simt::Mul(SumOverHeads(i), scale));
      Keep(row, state, valid && ordered >> kBinShift >= floor, ordered, position);
      if (raise_floor && row.k <= units) {
        const uint32_t found = FindFloor(state, row.k);
        if (simt::Lane() == 0 && found > floor) simt::AtomicMax(&state->floor, found);
      }
    }
  }

  // sum_j w[j] * max(0, q[j] . key) of the lane's entry.
  WINNOW_DEVICE float SumOverHeads(int row) {
    float sums[kTiles][2] = {};
    queries.Sum(a, row, sums);
    float mine = 0;
    WINNOW_UNROLL
    for (int i = 0; i < 2 * kTiles; ++i) {
      float sum = sums[i / 2][i % 2];
      sum = simt::Add(sum, simt::ShuffleXor(sum, 1));
      sum = simt::Add(sum, simt::ShuffleXor(sum, 2));
      if (simt::Lane() % 4 == i) mine = sum;
    }
    return mine;
  }

  // Adds the candidates of the lanes that `keep`, and counts the group by its best.
  WINNOW_DEVICE void Keep(const ScoreRow& row, RowState* state, bool keep, uint32_t ordered,
                          uint32_t position) {
    const uint32_t takers = simt::Ballot(keep);
    if (takers == 0) return;
    const uint32_t best = simt::ReduceMax(keep ? ordered >> kBinShift : 0);
    if (simt::Lane() == 0) {
      simt::AtomicAdd(&state->coarse[best / (kBins / kCoarseBins)], 1);
      simt::AtomicAdd(&state->groups[best], 1);
    }
    const uint32_t at = Reserve(takers, &state->kept);
    if (keep) row.kept[at] = MakeCandidateKey(ordered, position);
  }
};

// Calls fn.template operator()<Queries>() with what the call's queries are to be held in.
template <int kDimBlocks, typename Fn>
auto ForQueries(const ScoreArgs& args, Fn fn) {
  if (!args.by_groups) return fn.template operator()<WarpQueries<kDimBlocks>>();
  return GroupColumns(args.heads) == 64 ? fn.template operator()<GroupQueries<kDimBlocks, 64>>()
                                        : fn.template operator()<GroupQueries<kDimBlocks, 32>>();
}

template <int kDimBlocks, typename Queries>
WINNOW_DEVICE void ScoreBody(const ScoreArgs& args) {
  ScoreKernel<kDimBlocks, Queries>(args).Run();
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_
