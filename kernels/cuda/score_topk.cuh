#ifndef WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_
#define WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_

#include "kernels/cuda/key_fragments.cuh"
#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/threshold.cuh"

// Floor: one read of the keys, pages * KeyPageBytes (1,048,576 fp8 keys of 128 dims: 138 MB, 32 us
// at 4.3 TB/s), against 2 * rows * heads * dim operations per key on the tensor cores (64 heads:
// 17 GFLOP a row, 17 us at 989 TFLOP/s, about 28 us at what mma.sync reaches). One row is bound by
// memory and by the tensor cores about equally, more rows by the tensor cores.
//
// Each warp walks the keys on its own, a unit of 16 or 32 entries at a time, and waits for nobody:
// it copies the unit after the next into its own shared memory while it multiplies this one. Keys
// are decoded once into registers (matrix A, entries as rows) and meet every head of every row
// (matrix B, from shared memory) there. The sum over heads is made in one order for every entry.
namespace winnow::kernels::cuda {

struct alignas(16) QueryFragment {
  uint32_t words[4];  // b0 and b1 of two steps
};
struct alignas(8) WeightPair {
  float first;
  float second;
};

template <int kDimBlocks>  // of 32 dims
struct ScoreKernel {
  static constexpr int kDim = 32 * kDimBlocks;
  static constexpr int kTiles = TilesPerUnit(kDim);
  static constexpr int kUnitEntries = 16 * kTiles;
  static constexpr int kUnitsPerPage = kPageEntries / kUnitEntries;

  const ScoreArgs& args;
  int head_tiles;            // of 8 heads
  int code_bytes;            // of a unit
  int scale_bytes;           // of a unit
  uint32_t units;            // of all pages
  QueryFragment* fragments;  // [rows, head_tiles, kDimBlocks, 32 lanes]
  WeightPair* weights;       // [rows, head_tiles, 4 pairs]
  std::byte* stages;         // [kStagesPerWarp, code_bytes + scale_bytes] of this warp
  uint32_t a[kTiles][2 * kDimBlocks][4];

  WINNOW_DEVICE explicit ScoreKernel(const ScoreArgs& call) : args(call) {
    head_tiles = (args.heads + 7) / 8;
    code_bytes = kTiles * TileBytes(args.format, kDim);
    scale_bytes = args.format == KeyFormat::kMxFp4  ? kUnitEntries * kDimBlocks
                  : args.format == KeyFormat::kBf16 ? 0
                                                    : kUnitEntries * 4;
    units = args.page_count * kUnitsPerPage;
    std::byte* shared = simt::SharedMemory();
    fragments = reinterpret_cast<QueryFragment*>(shared);
    const int fragment_count = args.rows * head_tiles * kDimBlocks * 32;
    weights = reinterpret_cast<WeightPair*>(fragments + fragment_count);
    stages = reinterpret_cast<std::byte*>(weights + args.rows * head_tiles * 4) +
             simt::Warp() * kStagesPerWarp * (code_bytes + scale_bytes);
  }

  WINNOW_DEVICE void Run() {
    const uint32_t stride = simt::BlocksX() * simt::Warps();
    uint32_t unit = simt::BlockX() * simt::Warps() + simt::Warp();
    for (int s = 0; s < kStagesPerWarp; ++s) {
      const uint32_t ahead = unit + s * stride;
      Fetch(ahead, PageOf(ahead), s);
    }
    LoadQueries();
    simt::SyncBlock();
    for (int i = 0; unit < units; unit += stride, ++i) {
      const uint32_t ahead = unit + kStagesPerWarp * stride;
      const DevicePage next = PageOf(ahead);
      const DevicePage page = PageOf(unit);
      simt::CopyAsyncWait<kStagesPerWarp - 1>();
      simt::SyncWarp();
      const float scale = Decode(i % kStagesPerWarp);
      simt::SyncWarp();
      Fetch(ahead, next, i % kStagesPerWarp);
      ScoreUnit(unit, page, scale, i % simt::Warps() == simt::Warp());
    }
  }

  WINNOW_DEVICE DevicePage PageOf(uint32_t unit) const {
    return unit < units ? args.pages[unit / kUnitsPerPage] : DevicePage{nullptr, 0, 0};
  }

  // Queries and weights of all rows into shared memory; heads up to a multiple of 8 are zero.
  WINNOW_DEVICE void LoadQueries() {
    const size_t head_bytes = args.format == KeyFormat::kMxFp4  ? kDim / 2 + kDimBlocks
                              : args.format == KeyFormat::kBf16 ? 2 * kDim
                                                                : kDim;
    auto* words = reinterpret_cast<uint32_t*>(fragments);
    const int count = args.rows * head_tiles * kDimBlocks * 128;
    for (int i = simt::ThreadInBlock(); i < count; i += simt::ThreadsInBlock()) {
      const int word = i % 4, lane = i / 4 % 32, block = i / 128 % kDimBlocks;
      const int tile = i / 128 / kDimBlocks % head_tiles, row = i / 128 / kDimBlocks / head_tiles;
      const int head = 8 * tile + lane / 4;
      const int d = QueryPairDim(args.format, 2 * block + word / 2, lane % 4, word % 2);
      const std::byte* from = args.queries + (size_t{1} * row * args.heads + head) * head_bytes;
      words[i] = head < args.heads ? DecodeQueryPair(args.format, kDim, from, d) : 0;
    }
    auto* values = reinterpret_cast<float*>(weights);
    for (int i = simt::ThreadInBlock(); i < args.rows * head_tiles * 8;
         i += simt::ThreadsInBlock()) {
      const int head = i % (8 * head_tiles), row = i / (8 * head_tiles);
      values[i] = head < args.heads ? args.weights[row * args.heads + head] : 0.0f;
    }
  }

  // Begins to copy a unit's codes and scales; a group of copies even where there is no unit.
  WINNOW_DEVICE void Fetch(uint32_t unit, const DevicePage& page, int stage) {
    if (unit < units) {
      const int part = static_cast<int>(unit % kUnitsPerPage);
      std::byte* to = stages + stage * (code_bytes + scale_bytes);
      CopyRun(to, page.keys + part * code_bytes, code_bytes);
      to += code_bytes;
      const std::byte* scales = page.keys + kUnitsPerPage * code_bytes;
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

  WINNOW_DEVICE void ScoreUnit(uint32_t unit, const DevicePage& page, float scale,
                               bool raise_floor) {
    const int entry = EntryOfLane();
    const uint32_t in_page = unit % kUnitsPerPage * kUnitEntries + entry;
    const bool held = entry < kUnitEntries && in_page < page.entries;
    const uint32_t position = page.first_position + in_page;
    for (int row = 0; row < args.rows; ++row) {
      RowState* state = &args.states[row];
      const uint32_t floor = simt::LoadRelaxed(&state->floor);
      const bool valid = held && position < args.visible[row];
      const uint32_t ordered = OrderedBits(simt::Mul(SumOverHeads(row), scale));
      Keep(row, valid && ordered >> kBinShift >= floor, ordered, position);
      if (raise_floor && args.k <= units) {
        const uint32_t found = FindFloor(state, args.k);
        if (simt::Lane() == 0 && found > floor) simt::AtomicMax(&state->floor, found);
      }
    }
  }

  // sum_j w[j] * max(0, q[j] . key) of the lane's entry.
  WINNOW_DEVICE float SumOverHeads(int row) {
    float sums[kTiles][2] = {};
    const int lane = simt::Lane();
    for (int tile = 0; tile < head_tiles; ++tile) {
      const int at = row * head_tiles + tile;
      float dots[kTiles][4] = {};
      WINNOW_UNROLL
      for (int block = 0; block < kDimBlocks; ++block) {
        const QueryFragment q = fragments[(at * kDimBlocks + block) * 32 + lane];
        WINNOW_UNROLL
        for (int t = 0; t < kTiles; ++t) {
          simt::MmaBf16(dots[t], a[t][2 * block], q.words[0], q.words[1]);
          simt::MmaBf16(dots[t], a[t][2 * block + 1], q.words[2], q.words[3]);
        }
      }
      const WeightPair w = weights[at * 4 + lane % 4];
      WINNOW_UNROLL
      for (int t = 0; t < kTiles; ++t) {
        WINNOW_UNROLL
        for (int e = 0; e < 2; ++e) {
          sums[t][e] = simt::Fma(w.first, simt::Max(dots[t][2 * e], 0.0f), sums[t][e]);
          sums[t][e] = simt::Fma(w.second, simt::Max(dots[t][2 * e + 1], 0.0f), sums[t][e]);
        }
      }
    }
    float mine = 0;
    WINNOW_UNROLL
    for (int i = 0; i < 2 * kTiles; ++i) {
      float sum = sums[i / 2][i % 2];
      sum = simt::Add(sum, simt::ShuffleXor(sum, 1));
      sum = simt::Add(sum, simt::ShuffleXor(sum, 2));
      if (lane % 4 == i) mine = sum;
    }
    return mine;
  }

  // Adds the candidates of the lanes that `keep`, and counts the group by its best.
  WINNOW_DEVICE void Keep(int row, bool keep, uint32_t ordered, uint32_t position) {
    const uint32_t takers = simt::Ballot(keep);
    if (takers == 0) return;
    RowState* state = &args.states[row];
    const uint32_t best = simt::ReduceMax(keep ? ordered >> kBinShift : 0);
    if (simt::Lane() == 0) {
      simt::AtomicAdd(&state->coarse[best / (kBins / kCoarseBins)], 1);
      simt::AtomicAdd(&state->groups[best], 1);
    }
    const uint32_t at = Reserve(takers, &state->kept);
    if (keep) {
      args.kept[size_t{1} * row * args.capacity + at] = MakeCandidateKey(ordered, position);
    }
  }
};

template <int kDimBlocks>
WINNOW_DEVICE void ScoreBody(const ScoreArgs& args) {
  ScoreKernel<kDimBlocks>(args).Run();
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_TOPK_CUH_
