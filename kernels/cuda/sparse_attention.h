#ifndef WINNOW_KERNELS_CUDA_SPARSE_ATTENTION_H_
#define WINNOW_KERNELS_CUDA_SPARSE_ATTENTION_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/cuda/launch_shape.h"
#include "kernels/layout.h"

// Sparse attention over gathered rows, for several query rows in one launch. The rows of a query
// may be divided over `splits` blocks, whose parts AttendMergeArgs then merges by log-sum-exp.
namespace winnow::kernels::cuda {

// Where the parts of a block's shared memory begin, and how it is laid out. By groups, queries and
// values are tiles (group_attend_tiles.cuh), and there are scores of each group.
struct AttendMemory {
  int value_stride;  // bytes from a row of queries or values to the next; an odd multiple of 16
                     // bytes modulo 128, so that LoadMatrix meets no bank twice; unused by groups
  int raw_stride;    // bytes from a row as stored to the next
  int score_stride;  // floats from a head to the next
  int groups;        // of latent dims that share a scale
  int queries;       // [heads, value_stride] bf16
  int values;        // [row_block, value_stride] bf16, fp8 without their scales
  int raw;           // [row_block, raw_stride]
  int scores;        // [heads, score_stride] fp32 logits, then probabilities; of two groups
  int scales;        // [groups, row_block] fp32
  int factors;       // [heads] fp32, what the outputs shrink by
  int largest;       // [heads] fp32, logit so far
  int sums;          // [heads] fp32, of probabilities
  int bytes;         // in all
};

// How rows are multiplied: by each warp for itself; by groups of four warps, from shared memory;
// or, of 512 + 64 dims alone, by two groups that exchange probabilities (pair_attention.cuh), or
// FlashMLA's fp8 rows from registers (fp8_attention.cuh).
enum class AttendWay : uint8_t { kWarps, kGroups, kCodes, kPair };

struct AttendArgs {
  RowFormat format;
  AttendWay way;
  int queries;     // T, query rows
  int heads;       // 1..256
  int latent_dim;  // multiple of 32 (of 128 for kFp8FlashMla) in 32..1024
  int rope_dim;    // multiple of 16 in 0..256
  int splits;      // 1..kMostSplits
  int row_block;   // rows multiplied at once: 16 or 32; by groups 32 or 64; else 64
  int row_stride;  // between the lists of rows
  float softmax_scale;
  AttendMemory memory;           // of kWarps and kGroups; the others have layouts of their own
  const std::byte* query;        // [queries, heads, latent_dim + rope_dim] bf16, 16-byte aligned
  const std::byte* const* rows;  // [queries, row_stride] pointers to RowBytes, 4-byte aligned each;
                                 // read faster where aligned to 16
  const uint32_t* row_counts;    // [queries], each at most row_stride
  float* outputs;                // [splits, queries, heads, latent_dim]; 0 of no rows
  float* lse;                    // [splits, queries, heads] natural; -inf of no rows
};

struct AttendMergeArgs {
  int queries;
  int heads;
  int latent_dim;
  int splits;
  const float* part_outputs;  // [splits, queries, heads, latent_dim]
  const float* part_lse;      // [splits, queries, heads]
  float* outputs;             // [queries, heads, latent_dim]
  float* lse;                 // [queries, heads]
};

struct AttendShape {
  RowFormat format = RowFormat::kBf16;
  int queries = 1;
  int heads = 1;
  int latent_dim = 512;
  int rope_dim = 64;
  uint32_t most_rows = 0;  // of any query row
};

struct AttendPlan {
  AttendWay way = AttendWay::kWarps;
  int splits = 1;
  int row_block = 32;
  AttendMemory memory;
  LaunchShape attend;
  LaunchShape merge;  // needed where splits > 1
};

inline constexpr int kMostSplits = 64;
inline constexpr int kMergeShares = 4;  // that the splits of a head are divided into to be merged
inline constexpr int kAttendWarps = 8;

// Tiles of 8 latent dims that each warp accumulates: 1, 2, 4, 8 or 16.
constexpr int LatentTilesPerWarp(int latent_dim) {
  int tiles = 1;
  while (tiles * 8 * kAttendWarps < latent_dim) tiles *= 2;
  return tiles;
}
// Tiles of 16 heads of a block: as many as the accumulators have registers.
constexpr int HeadTilesPerBlock(int latent_dim) {
  return LatentTilesPerWarp(latent_dim) > 8 ? 1 : 2;
}

// Heads of a block by groups, and the chunks of 128 latent dims of each of its two groups.
inline constexpr int kGroupHeads = 64;
constexpr int GroupChunks(int latent_dim) { return latent_dim / 256; }

// Returns what is wrong, empty if nothing is.
[[nodiscard]] std::string PlanAttend(const DeviceLimits& limits, const AttendShape& shape,
                                     AttendPlan* plan);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SPARSE_ATTENTION_H_
