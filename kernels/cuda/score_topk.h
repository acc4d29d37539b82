#ifndef WINNOW_KERNELS_CUDA_SCORE_TOPK_H_
#define WINNOW_KERNELS_CUDA_SCORE_TOPK_H_

#include <cstddef>
#include <cstdint>

#include "kernels/candidate.h"
#include "kernels/layout.h"

// Score + top-k in two kernels on one stream, without the host in between:
//   ScoreArgs   scores every entry, keeps those that may be among the best, and lists of them those
//               at or above the floor that is known in the end, usually little more than k
//   SelectArgs  takes exactly the best k of those listed, sorts them, and clears the rows' states
//
// The floor. A score's bin is the upper 12 bits of its order-preserving form. Each warp counts, for
// each unit of entries it scored together, the bin of the unit's best. Once k units have a best in
// bin b or above, k entries do, and one below bin b cannot be among the best k: b is the floor, and
// what is below it is dropped. The floor only rises, so what it drops stays rightly dropped. A unit
// whose best is in the floor's bin or below cannot raise it, and is not counted.
namespace winnow::kernels::cuda {

// Pages of index keys and of consecutive positions, of which all but the last hold 64 entries. The
// list of their addresses is in device memory, as they are.
struct DeviceRun {
  const std::byte* const* pages;  // [pages of the run] KeyPageBytes each, 64-byte aligned
  uint32_t first_position;        // of entry 0 of the first page
  uint32_t entries;               // of all pages, 1..64 * kRunPages
};

// Pages of a run at most, a stripe's.
inline constexpr uint32_t kRunPageBits = 6;
inline constexpr uint32_t kRunPages = 1 << kRunPageBits;

inline constexpr int kBins = 4096;
inline constexpr int kBinShift = 20;  // of the order-preserving form of a score
inline constexpr int kCoarseBins = 64;

// What the blocks share about one query row. All zero at the start of a launch, and again at the
// end of the selection.
struct RowState {
  uint32_t floor;        // bin; 0 until k units are known
  uint32_t unused1[31];  // what is read all the time shares no line with what is counted
  uint32_t listed;       // candidates to be listed, even if they had no room
  uint32_t blocks;       // that scored, each with its part of ScoreRow::kept
  uint32_t pages;        // of all blocks
  uint32_t unused2[29];
  uint32_t coarse[kCoarseBins];  // units by bin / 64
  uint32_t units[kBins];         // units by bin
};

// A candidate as one number, larger is better: the order-preserving form of the score in the upper
// half, the complement of the position in the lower.
using CandidateKey = uint64_t;

// Some query rows over the pages of one context. A launch has several, each with blocks of its own.
// Every run of a job but its last has 2^page_bits pages, so the lower page_bits bits of a page's
// number are its number in its run, and the others are the run's.
struct ScoreJob {
  const DeviceRun* runs;
  uint32_t page_count;  // of all runs, >= 1
  uint32_t page_bits;   // 0 or kRunPageBits
  int first_row;        // of the launch's
  int rows;             // 1..ScorePlan::rows_per_job, at most kMostRowsPerJob
  int first_block = 0;
  int blocks = 0;
};

struct ScoreRow {
  uint32_t visible;
  uint32_t k;
  CandidateKey* kept;   // [64 * page_count of the row's job], divided among the blocks
  CandidateKey* list;   // [kListCapacity]; where it has no room, the selection reads `kept`
  Candidate* selected;  // [k] best first
};

// Jobs are part of a launch's arguments, which may have 4 KiB.
inline constexpr int kMostScoreJobs = 32;
// Rows that share a reading of the keys: more make it longer than the reading by far.
inline constexpr int kMostRowsPerJob = 8;
inline constexpr int kMostLaunchRows = kMostScoreJobs * kMostRowsPerJob;

struct ScoreArgs {
  KeyFormat format;
  bool by_groups;            // ScorePlan::by_groups
  int stages;                // ScorePlan::stages
  int heads;                 // 1..128
  int dim;                   // multiple of 32 in 32..256
  const ScoreRow* rows;      // [rows]
  const std::byte* queries;  // [rows, heads, QueryBytes], 16-byte aligned
  const float* weights;      // [rows, heads]
  RowState* states;          // [rows]
  int job_count = 0;
  ScoreJob jobs[kMostScoreJobs] = {};  // in the order of their blocks
};

struct SelectArgs {
  const ScoreRow* rows;
  RowState* states;
  uint32_t* counts;  // [rows] candidates selected
};

inline constexpr uint32_t kListCapacity = 2 * kMaxTopK;

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_TOPK_H_
