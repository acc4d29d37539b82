#ifndef WINNOW_KERNELS_CUDA_SCORE_QUERIES_CUH_
#define WINNOW_KERNELS_CUDA_SCORE_QUERIES_CUH_

#include "kernels/cuda/key_fragments.cuh"
#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/simt.h"

// A block's queries in shared memory, and the products of a warp's keys with them, in two ways:
// each warp by itself, or four warps together. Both add up an entry's heads in the same order.
namespace winnow::kernels::cuda {

struct alignas(8) WeightPair {
  float first;
  float second;
};

// The two dims of a query's head, or zeros beyond the heads there are.
WINNOW_DEVICE uint32_t QueryPair(const ScoreArgs& args, const ScoreJob& job, int row, int head,
                                 int d) {
  if (head >= args.heads) return 0;
  const size_t head_bytes = args.format == KeyFormat::kMxFp4  ? args.dim / 2 + args.dim / 32
                            : args.format == KeyFormat::kBf16 ? 2 * args.dim
                                                              : args.dim;
  const std::byte* from =
      args.queries + (size_t{1} * (job.first_row + row) * args.heads + head) * head_bytes;
  return DecodeQueryPair(args.format, args.dim, from, d);
}

// Weights of all rows of a job, `heads` each; by the whole block.
WINNOW_DEVICE void LoadWeights(const ScoreArgs& args, const ScoreJob& job, int heads,
                               WeightPair* weights) {
  auto* values = reinterpret_cast<float*>(weights);
  for (int i = simt::ThreadInBlock(); i < job.rows * heads; i += simt::ThreadsInBlock()) {
    const int head = i % heads, row = i / heads;
    values[i] = head < args.heads ? args.weights[(job.first_row + row) * args.heads + head] : 0.0f;
  }
}

// Adds w * max(0, dot) of two heads for the two entries of a lane.
WINNOW_DEVICE void AddHeads(const float (&dots)[4], const WeightPair& w, float (&sums)[2]) {
  WINNOW_UNROLL
  for (int e = 0; e < 2; ++e) {
    sums[e] = simt::Fma(w.first, simt::Max(dots[2 * e], 0.0f), sums[e]);
    sums[e] = simt::Fma(w.second, simt::Max(dots[2 * e + 1], 0.0f), sums[e]);
  }
}

// By mma.sync: fragments as matrix B, [rows, head tiles of 8, kDimBlocks, 32 lanes].
template <int kDimBlocks>
struct WarpQueries {
  static constexpr bool kByGroups = false;
  static constexpr int kTiles = TilesPerUnit(32 * kDimBlocks, false);
  using Keys = uint32_t[kTiles][2 * kDimBlocks][4];

  struct alignas(16) Fragment {
    uint32_t words[4];  // b0 and b1 of two steps
  };

  int head_tiles;
  Fragment* fragments;
  WeightPair* weights;  // [rows, head_tiles, 4]

  WINNOW_DEVICE WarpQueries(const ScoreArgs& args, const ScoreJob& job, std::byte* shared) {
    head_tiles = (args.heads + 7) / 8;
    fragments = reinterpret_cast<Fragment*>(shared);
    weights = reinterpret_cast<WeightPair*>(fragments + job.rows * head_tiles * kDimBlocks * 32);
  }

  WINNOW_DEVICE std::byte* End(const ScoreJob& job) const {
    return reinterpret_cast<std::byte*>(weights + job.rows * head_tiles * 4);
  }

  WINNOW_DEVICE void Load(const ScoreArgs& args, const ScoreJob& job) {
    auto* words = reinterpret_cast<uint32_t*>(fragments);
    const int count = job.rows * head_tiles * kDimBlocks * 128;
    for (int i = simt::ThreadInBlock(); i < count; i += simt::ThreadsInBlock()) {
      const int word = i % 4, lane = i / 4 % 32, block = i / 128 % kDimBlocks;
      const int tile = i / 128 / kDimBlocks % head_tiles, row = i / 128 / kDimBlocks / head_tiles;
      words[i] = QueryPair(args, job, row, 8 * tile + lane / 4,
                           QueryPairDim(args.format, 2 * block + word / 2, lane % 4, word % 2));
    }
    LoadWeights(args, job, 8 * head_tiles, weights);
  }

  // sum_j w[j] * max(0, q[j] . key) over a quarter of the heads, for the lane's two entries of each
  // tile.
  WINNOW_DEVICE void Sum(const Keys& a, int row, float (&sums)[kTiles][2]) const {
    const int lane = simt::Lane();
    for (int tile = 0; tile < head_tiles; ++tile) {
      const int at = row * head_tiles + tile;
      float dots[kTiles][4] = {};
      WINNOW_UNROLL
      for (int block = 0; block < kDimBlocks; ++block) {
        const Fragment q = fragments[(at * kDimBlocks + block) * 32 + lane];
        WINNOW_UNROLL
        for (int t = 0; t < kTiles; ++t) {
          simt::MmaBf16(dots[t], a[t][2 * block], q.words[0], q.words[1]);
          simt::MmaBf16(dots[t], a[t][2 * block + 1], q.words[2], q.words[3]);
        }
      }
      const WeightPair w = weights[at * 4 + lane % 4];
      WINNOW_UNROLL
      for (int t = 0; t < kTiles; ++t) AddHeads(dots[t], w, sums[t]);
    }
  }
};

// By wgmma: [rows, chunks of kColumns heads, steps of 16 dims, 2 halves, kColumns / 8 tiles], each
// tile 8 heads of 8 dims. A group's four warps hold the four tiles of 16 entries of one page.
template <int kDimBlocks, int kColumns>
struct GroupQueries {
  static constexpr bool kByGroups = true;
  static constexpr int kTiles = TilesPerUnit(32 * kDimBlocks, true);
  static constexpr int kHeadTiles = kColumns / 8;
  static constexpr int kSteps = 2 * kDimBlocks;
  static constexpr int kTileBytes = 8 * 16;
  static constexpr int kHalfBytes = kHeadTiles * kTileBytes;
  static constexpr int kChunkBytes = kSteps * 2 * kHalfBytes;
  using Keys = uint32_t[kTiles][kSteps][4];

  int chunks;
  std::byte* matrices;
  WeightPair* weights;  // [rows, chunks, kHeadTiles, 4]

  WINNOW_DEVICE GroupQueries(const ScoreArgs& args, const ScoreJob& job, std::byte* shared)
      : matrices(shared) {
    chunks = (args.heads + kColumns - 1) / kColumns;
    weights = reinterpret_cast<WeightPair*>(shared + job.rows * chunks * kChunkBytes);
  }

  WINNOW_DEVICE std::byte* End(const ScoreJob& job) const {
    return reinterpret_cast<std::byte*>(weights + job.rows * chunks * kHeadTiles * 4);
  }

  WINNOW_DEVICE void Load(const ScoreArgs& args, const ScoreJob& job) {
    auto* words = reinterpret_cast<uint32_t*>(matrices);
    const int count = job.rows * chunks * (kChunkBytes / 4);
    for (int i = simt::ThreadInBlock(); i < count; i += simt::ThreadsInBlock()) {
      const int c = i % 4, head = i / 4 % kColumns, half = i / 4 / kColumns % 2;
      const int step = i / 8 / kColumns % kSteps, chunk = i / 8 / kColumns / kSteps;
      words[i] = QueryPair(args, job, chunk / chunks, chunk % chunks * kColumns + head,
                           QueryPairDim(args.format, step, c, half));
    }
    LoadWeights(args, job, chunks * kColumns, weights);
    simt::PublishShared();
  }

  // As WarpQueries::Sum; by whole groups.
  WINNOW_DEVICE void Sum(const Keys& a, int row, float (&sums)[kTiles][2]) const {
    for (int chunk = row * chunks; chunk < (row + 1) * chunks; ++chunk) {
      const uint64_t matrix =
          simt::SharedMatrix(matrices + chunk * kChunkBytes, kHalfBytes, kTileBytes);
      float dots[kHeadTiles][4];
      simt::GroupBegin();
      WINNOW_UNROLL
      for (int step = 0; step < kSteps; ++step) {
        simt::MmaGroup(dots, a[0][step], matrix + step * (2 * kHalfBytes / 16), step > 0);
      }
      simt::GroupCommit();
      simt::GroupWait<0>();
      simt::GroupHold(dots);
      const WeightPair* w = weights + chunk * kHeadTiles * 4 + simt::Lane() % 4;
      WINNOW_UNROLL
      for (int tile = 0; tile < kHeadTiles; ++tile) AddHeads(dots[tile], w[4 * tile], sums[0]);
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_QUERIES_CUH_
