#ifndef WINNOW_KERNELS_CUDA_SCORE_QUERIES_CUH_
#define WINNOW_KERNELS_CUDA_SCORE_QUERIES_CUH_

#include "kernels/cuda/key_fragments.cuh"
#include "kernels/cuda/score_block.h"
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
  static constexpr Operand kOperand = Operand::kBf16;
  static constexpr int kTiles = TilesPerUnit(32 * kDimBlocks);
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
// tile 8 heads of 8 dims. A group's four warps hold the four tiles of 16 entries of one page. What
// it multiplies at once, a chunk of a row, is a part.
template <int kDimBlocks, int kColumns, Operand kOperandOfGroup>
struct GroupQueries {
  static constexpr bool kByGroups = true;
  static constexpr Operand kOperand = kOperandOfGroup;
  static constexpr int kHeadTiles = kColumns / 8;
  static constexpr int kSteps = 2 * kDimBlocks;
  static constexpr int kTileBytes = 8 * 16;
  static constexpr int kHalfBytes = kHeadTiles * kTileBytes;
  static constexpr int kChunkBytes = kSteps * 2 * kHalfBytes;
  using Keys = uint32_t[kSteps][4];
  using Dots = float[kHeadTiles][4];

  // Weights of a lane's heads in two tiles.
  struct alignas(16) TwoTiles {
    WeightPair of[2];
  };

  int chunk_bits;  // a row has 2^chunk_bits chunks
  std::byte* matrices;
  TwoTiles* weights;  // [rows, chunks, kHeadTiles / 2, 4]

  WINNOW_DEVICE GroupQueries(const ScoreArgs& args, const ScoreJob& job, std::byte* shared)
      : matrices(shared) {
    chunk_bits = args.heads > kColumns ? 1 : 0;
    weights = reinterpret_cast<TwoTiles*>(shared + (job.rows << chunk_bits) * kChunkBytes);
  }

  WINNOW_DEVICE std::byte* End(const ScoreJob& job) const {
    return reinterpret_cast<std::byte*>(weights + (job.rows << chunk_bits) * kHeadTiles * 2);
  }

  // By the first `threads` threads of a block.
  WINNOW_DEVICE void Load(const ScoreArgs& args, const ScoreJob& job, int threads) const {
    // Weights by the last of them first, who have the least to do beside; the first of each thread
    // is on its way together with the codes.
    auto* values = reinterpret_cast<float*>(weights);
    const int all = (job.rows << chunk_bits) * kColumns,
              first = threads - 1 - simt::ThreadInBlock();
    const float first_weight = first < all ? Weight(args, job, first) : 0.0f;
    for (int part = 0; part < job.rows << chunk_bits; ++part) {
      const int row = part >> chunk_bits, first_head = (part - (row << chunk_bits)) * kColumns;
      LoadChunk(args, job, row, first_head, matrices + part * kChunkBytes, threads);
    }
    if (first < all) values[first] = first_weight;
    for (int i = first + threads; i < all; i += threads) values[i] = Weight(args, job, i);
  }

  // The i-th in their order here.
  WINNOW_DEVICE float Weight(const ScoreArgs& args, const ScoreJob& job, int i) const {
    const int row = i / kColumns >> chunk_bits, chunk = i / kColumns & ((1 << chunk_bits) - 1);
    const int at = i % kColumns;
    const int head = chunk * kColumns + at / 16 * 16 + at / 2 % 2 * 8 + at / 4 % 4 * 2 + at % 2;
    return head < args.heads ? args.weights[(job.first_row + row) * args.heads + head] : 0.0f;
  }

  WINNOW_DEVICE static void LoadChunk(const ScoreArgs& args, const ScoreJob& job, int row,
                                      int first_head, std::byte* matrix, int threads) {
    if constexpr (kOperand == Operand::kF16) {
      // A warp reads whole sectors, and writes heads side by side.
      for (int i = simt::ThreadInBlock(); i < kColumns * kSteps; i += threads) {
        const int head = i / 32 / (kSteps / 2) * 16 + i / 16 % 2 * 8 + i % 8;
        const int step = i / 32 % (kSteps / 2) * 2 + i / 8 % 2;
        LoadStep(args, job, row, first_head + head, step,
                 matrix + step * 2 * kHalfBytes + head * 16);
      }
    } else {
      auto* words = reinterpret_cast<uint32_t*>(matrix);
      for (int i = simt::ThreadInBlock(); i < kChunkBytes / 4; i += threads) {
        const int c = i % 4, head = i / 4 % kColumns, half = i / 4 / kColumns % 2;
        words[i] = QueryPair(args, job, row, first_head + head,
                             QueryPairDim(args.format, i / 8 / kColumns, c, half));
      }
    }
  }

  // 16 dims of one head of e4m3, or zeros; both halves of k.
  WINNOW_DEVICE static void LoadStep(const ScoreArgs& args, const ScoreJob& job, int row, int head,
                                     int step, std::byte* to) {
    struct alignas(16) Words {
      uint32_t of[4];
    };
    Words codes = {};
    if (head < args.heads) {
      const size_t at = size_t{1} * (job.first_row + row) * args.heads + head;
      codes = reinterpret_cast<const Words*>(args.queries + at * (16 * kSteps))[step];
    }
    WINNOW_UNROLL
    for (int half = 0; half < 2; ++half) {
      Words values;
      WINNOW_UNROLL
      for (int c = 0; c < 4; ++c) {
        values.of[c] = simt::E4m3PairToF16x2(codes.of[2 * half + c / 2] >> (c % 2 * 16));
      }
      *reinterpret_cast<Words*>(to + half * kHalfBytes) = values;
    }
  }

  // Begins the products of a page's keys and a part; by whole groups.
  WINNOW_DEVICE void Multiply(const Keys& a, int part, Dots& dots) const {
    const uint64_t matrix =
        simt::SharedMatrix(matrices + part * kChunkBytes, kHalfBytes, kTileBytes);
    simt::GroupBegin();
    WINNOW_UNROLL
    for (int step = 0; step < kSteps; ++step) {
      const uint64_t b = Moved(matrix, step * (2 * kHalfBytes / 16));
      if constexpr (kOperand == Operand::kF16) {
        simt::MmaGroupF16(dots, a[step], b, step > 0);
      } else {
        simt::MmaGroup(dots, a[step], b, step > 0);
      }
    }
    simt::GroupCommit();
  }

  // Adds w[j] * max(0, dots[j]) of a quarter of the part's heads, for the lane's two entries.
  WINNOW_DEVICE void Add(const Dots& dots, int part, float (&sums)[2]) const {
    WINNOW_UNROLL
    for (int i = 0; i < kHeadTiles / 2; ++i) {
      const TwoTiles w = weights[(part * (kHeadTiles / 2) + i) * 4 + simt::Lane() % 4];
      AddHeads(dots[2 * i], w.of[0], sums);
      AddHeads(dots[2 * i + 1], w.of[1], sums);
    }
  }

  // A matrix's place is in its lower word, which a move within shared memory does not leave.
  WINNOW_DEVICE static uint64_t Moved(uint64_t matrix, uint32_t by) {
    return (matrix >> 32 << 32) | static_cast<uint32_t>(static_cast<uint32_t>(matrix) + by);
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_QUERIES_CUH_
