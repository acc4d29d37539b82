#ifndef WINNOW_KERNELS_CUDA_SCORE_TOPK_H_
#define WINNOW_KERNELS_CUDA_SCORE_TOPK_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/candidate.h"
#include "kernels/cuda/launch_shape.h"
#include "kernels/layout.h"

// Score + top-k in three kernels on one stream, without the host in between:
//   ScoreArgs   scores every entry and keeps those that may be among the best
//   FilterArgs  keeps of them those at or above the final floor, usually little more than k
//   SelectArgs  takes exactly the best k of what is left, and sorts them
//
// The floor. A score's bin is the upper 12 bits of its order-preserving form. Each warp counts, for
// each group of entries it scored together, the bin of the group's best. Once k groups have a best
// in bin b or above, k entries do, and one below bin b cannot be among the best k: b is the floor,
// and what is below it is dropped. The floor only rises, so what it drops stays rightly dropped.
namespace winnow::kernels::cuda {

// A page of index keys, as kernels::KeyPage.
struct DevicePage {
  const std::byte* keys;    // KeyPageBytes, 64-byte aligned, in device memory
  uint32_t first_position;  // of entry 0
  uint32_t entries;         // held, 1..64
};

inline constexpr int kBins = 4096;
inline constexpr int kBinShift = 20;  // of the order-preserving form of a score
inline constexpr int kCoarseBins = 64;

// What the blocks share about one query row. All zero at the start of a call.
struct RowState {
  uint32_t kept;      // candidates in ScoreArgs::kept
  uint32_t filtered;  // candidates that passed the filter, even if they had no room
  uint32_t floor;     // bin; 0 until k groups are known
  uint32_t unused;
  uint32_t coarse[kCoarseBins];  // groups by bin / 64
  uint32_t groups[kBins];        // groups by bin
};

// A candidate as one number, larger is better: the order-preserving form of the score in the upper
// half, the complement of the position in the lower.
using CandidateKey = uint64_t;

struct ScoreArgs {
  KeyFormat format;
  bool by_groups;  // ScorePlan::by_groups
  int rows;        // of this pass, at most ScorePlan::rows_per_pass
  int heads;       // 1..128
  int dim;         // multiple of 32 in 32..256
  uint32_t k;
  uint32_t page_count;       // >= 1
  uint32_t capacity;         // of `kept`: 64 * page_count at least
  const DevicePage* pages;   // [page_count]
  const std::byte* queries;  // [rows, heads, QueryBytes], 16-byte aligned
  const float* weights;      // [rows, heads]
  const uint32_t* visible;   // [rows]
  RowState* states;          // [rows]
  CandidateKey* kept;        // [rows, capacity]
};

struct FilterArgs {
  uint32_t k;
  uint32_t capacity;           // of `kept`
  uint32_t filtered_capacity;  // of `filtered`
  const CandidateKey* kept;    // [rows, capacity]
  RowState* states;            // [rows]
  CandidateKey* filtered;      // [rows, filtered_capacity]
};

struct SelectArgs {
  uint32_t k;
  uint32_t capacity;
  uint32_t filtered_capacity;
  const CandidateKey* kept;      // [rows, capacity]; read where `filtered` had no room
  const CandidateKey* filtered;  // [rows, filtered_capacity]
  const RowState* states;        // [rows]
  Candidate* selected;           // [rows, k] best first
  uint32_t* counts;              // [rows] candidates selected
};

// What a launch needs to know of a device.
struct DeviceLimits {
  int multiprocessors = 1;
  size_t shared_bytes_per_block = 0;
  size_t shared_bytes_per_multiprocessor = 0;
  bool has_groups = false;  // four warps can multiply together (simt.h), as on Hopper
};

struct ScoreShape {
  KeyFormat format = KeyFormat::kFp8E4M3;
  int rows = 1;
  int heads = 1;
  int dim = 128;
  uint32_t k = 1;
  uint32_t pages = 0;
};

// How a call is divided. Query rows beyond rows_per_pass take further passes over the keys.
struct ScorePlan {
  bool by_groups = false;
  int rows_per_pass = 0;
  LaunchShape score;
  LaunchShape filter;  // blocks_y = rows_per_pass; set to the rows of the pass
  LaunchShape select;  // blocks_x = rows_per_pass; likewise
};

inline constexpr int kStagesPerWarp = 2;
inline constexpr size_t kSelectMemoryBytes = 1056;  // before the keys that a selection sorts
inline constexpr uint32_t kFilteredCapacity = 2 * kMaxTopK;

// Tiles of 16 entries that a warp multiplies at once: as many as their fragments have registers.
// The four warps of a group take a page.
constexpr int TilesPerUnit(int dim, bool by_groups) { return dim <= 128 && !by_groups ? 2 : 1; }
// Heads that a group multiplies at once.
constexpr int GroupColumns(int heads) { return heads > 32 ? 64 : 32; }

// Returns what is wrong, empty if nothing is.
[[nodiscard]] std::string PlanScore(const DeviceLimits& limits, const ScoreShape& shape,
                                    ScorePlan* plan);

// Device memory of one query row of a pass over `pages` pages: its state and candidates.
size_t ScoreWorkspaceBytesPerRow(uint32_t pages);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_TOPK_H_
