#ifndef WINNOW_KERNELS_BACKEND_H_
#define WINNOW_KERNELS_BACKEND_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/candidate.h"
#include "kernels/layout.h"
#include "kernels/worker_pool.h"

namespace winnow::kernels {

// Shapes in this file are not checked: other ones than the comments allow read and write what is
// not theirs.

// The indexer's side of a query, as it travels.
struct ScoreQuery {
  KeyFormat format;
  int rows;                  // T, 1..64
  int heads;                 // 1..128
  int dim;                   // multiple of 32 in 32..256
  const std::byte* queries;  // [rows, heads, QueryBytes(format, dim)]
  const float* weights;      // [rows, heads]
};

// A page of index keys and the positions it covers. Pages are given in ascending position order.
struct KeyPage {
  const std::byte* keys;    // KeyPageBytes, 64-byte aligned, written by ArrangeKeys
  uint32_t first_position;  // of entry 0 of the page
  uint32_t entries;         // held, 1..64
};

struct ScoreTopKParams {
  ScoreQuery query;
  std::span<const KeyPage> pages;
  std::span<const uint32_t> visible_entries;  // [rows]; row t sees positions < visible_entries[t]
  int k;                                      // 1..16384
  const std::atomic<bool>* cancelled;         // may be null; polled a few thousand keys apart
};

struct ScoreTopKResult {
  // [rows] lists, each best first, at most k long.
  std::vector<std::vector<Candidate>> selected;
  // False if the call was cancelled; the lists are then meaningless.
  bool complete = false;
};

// Queries of one query row and the entries they attend to, in the multi-query form of MLA
// (DeepSeek-V2, arXiv:2405.04434, section 2.1.2, with the up-projections absorbed).
struct AttendParams {
  RowFormat format;
  int heads;       // 1..256
  int latent_dim;  // a multiple of 32 in 32..1024, of 128 for kFp8FlashMla
  int rope_dim;    // a multiple of 16 in 0..256
  float softmax_scale;
  const std::byte* queries;      // [heads, latent_dim + rope_dim] bf16
  const std::byte* const* rows;  // [row_count] pointers to RowBytes each
  int row_count;                 // >= 0
  float* outputs;                // [heads, latent_dim]; zero where row_count is 0
  float* lse;                    // [heads] natural log of sum exp(logit); -inf where row_count is 0
};

// A target's kernels. All variants of one operation agree with the reference within the bounds in
// kernels/README.md, and each is deterministic: its result depends neither on the number of threads
// nor on how pages were divided over calls.
class Backend {
 public:
  virtual ~Backend() = default;

  // "reference", "portable", "avx2", "avx512", ...
  virtual std::string_view name() const = 0;

  // Scores every visible key, I[s] = sum_j w[j] * max(0, q[j] . k[s]) (DeepSeek-V3.2, equation 1),
  // and keeps the best k of each row in the order of Better(). A score that overflows to NaN counts
  // as -inf.
  virtual void ScoreTopK(const ScoreTopKParams& params, WorkerPool& pool,
                         ScoreTopKResult* result) const = 0;

  // softmax(scale * q . row) over the rows, times their latent part.
  virtual void SparseAttention(const AttendParams& params, WorkerPool& pool) const = 0;
};

// The variants that are compiled in and that this processor and its operating system can run,
// slowest first; "reference" and "portable" always are.
std::span<const Backend* const> AvailableBackends();

// The fastest, or the one named; null if there is none of that name here.
const Backend* ChooseBackend(std::string_view name = "");

// The best k over lists that are each best first, into `merged`, best first.
void MergeCandidates(std::span<const std::span<const Candidate>> lists, size_t k,
                     std::vector<Candidate>* merged);

// Merges attention over disjoint sets of entries: out = sum_i exp(lse_i - lse) out_i.
//   part_outputs  [parts] pointers to [heads, latent_dim]
//   part_lse      [parts] pointers to [heads]
//   outputs, lse  as in AttendParams; must not overlap the parts
void MergeAttention(std::span<const float* const> part_outputs,
                    std::span<const float* const> part_lse, int heads, int latent_dim,
                    float* outputs, float* lse);

// Lets a logit per head take weight without adding a value: out *= 1 / (1 + exp(sink - lse)).
//   sink  [heads]
void ApplyAttentionSink(const float* sink, const float* lse, int heads, int latent_dim,
                        float* outputs);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_BACKEND_H_
