#ifndef WINNOW_KERNELS_CUDA_SCORE_BLOCK_H_
#define WINNOW_KERNELS_CUDA_SCORE_BLOCK_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/score_topk.h"
#include "kernels/layout.h"

// What a scoring block is made of: known to its kernels and to who plans their launches.
namespace winnow::kernels::cuda {

// Tiles of 16 entries that a warp multiplies at once where it multiplies alone: as many as their
// fragments have registers.
constexpr int TilesPerUnit(int dim) { return dim <= 128 ? 2 : 1; }
// Units that a warp is given memory to copy while it scores others: few, or many where they fit.
inline constexpr int kFewStages = 2;
inline constexpr int kManyStages = 4;

// Groups of four warps that multiply together, each a page: as many as have registers for the
// fragments of a page and the sums of two products. Two warps more serve all of them: one watches
// the floors, and one copies pages.
constexpr int GroupsOfBlock(int dim) { return dim <= 128 ? 3 : 2; }
constexpr int GroupThreads(int dim) { return 128 * GroupsOfBlock(dim) + 64; }
// Pages of a block's ring, a multiple of its groups; fewer than a warp has lanes.
inline constexpr int kMostRingPages = 12;

// Units that each warp of a block's groups has room to post, and a whole block; see UnitPosts.
inline constexpr int kPostsPerWarp = 4;
inline constexpr int kPostsOfBlock = 64;
static_assert(kPostsOfBlock % 32 == 0 && kPostsOfBlock >= 4 * kPostsPerWarp * GroupsOfBlock(32));

// What groups multiply. Both hold every value of the formats they are for, and f16 is decoded from
// e4m3 in fewer instructions.
enum class Operand { kBf16, kF16 };
constexpr Operand GroupOperand(KeyFormat format) {
  return format == KeyFormat::kFp8E4M3 ? Operand::kF16 : Operand::kBf16;
}
// Heads that a group multiplies at once. Fewer are worth a kernel of their own for e4m3 alone.
constexpr int GroupColumns(KeyFormat format, int heads) {
  return heads > 32 || GroupOperand(format) == Operand::kBf16 ? 64 : 32;
}

// Where a page or a part of it is, looked up before it is needed.
struct alignas(16) PagePlace {
  const std::byte* page;  // null past the last one
  uint32_t position;      // of its first entry
  uint32_t held;          // entries, of the part and beyond
};
inline constexpr int kPlacesPerWarp = 32;

// The first of a scoring block's shared memory.
struct alignas(128) ScoreMemory {
  struct alignas(16) Row {
    uint32_t floor;  // as the block knows it; by atomics alone, until all is scored
    uint32_t visible;
    uint32_t k;
    CandidateKey* kept;   // the block's part of ScoreRow::kept
    uint32_t kept_count;  // of it
    uint32_t listed;      // by this block
    uint32_t first;       // of these in ScoreRow::list
  };
  Row rows[kMostRowsPerJob];
  // Of a ring of pages: counts the copy of a page, and the warps that need it no more.
  uint64_t full[kMostRingPages];
  uint64_t empty[kMostRingPages];
  uint64_t asked_for;  // ends its phase once all pages are
  struct Held {
    uint32_t position;  // of the page's first entry
    uint32_t entries;
  };
  Held held[kMostRingPages];
  uint32_t posts[kPostsOfBlock];
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_BLOCK_H_
