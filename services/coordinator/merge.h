#ifndef WINNOW_SERVICES_COORDINATOR_MERGE_H_
#define WINNOW_SERVICES_COORDINATOR_MERGE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "kernels/candidate.h"
#include "services/shard/messages.h"

// What the shards' candidates amount to: pure functions of their answers.
namespace winnow::coordinator {

using CandidateRows = std::vector<std::vector<kernels::Candidate>>;  // [T], each best first

// Whether they are best first, each once, with scores that are numbers and positions below `end`.
bool AreOrdered(const std::vector<kernels::Candidate>& row, uint64_t end);

// That every shard sent, for each row, as many candidates as there are among its own entries, in
// order, and no others: none is left out and none made up. INTERNAL BAD_REPLY otherwise.
//   stripes  [shards] that each shard was asked to score, ascending
absl::Status CheckCandidates(const std::vector<shard::SelectResult>& results,
                             const std::vector<std::vector<uint32_t>>& stripes,
                             const std::vector<uint32_t>& visible_entries, uint32_t top_k);

// The best k of each row over all shards.
CandidateRows MergeRows(const std::vector<shard::SelectResult>& results, uint32_t top_k);

// [T] the last candidate that was chosen in each row: a shard's candidate is a winner exactly if it
// is not worse. No row may be empty.
std::vector<kernels::Candidate> Thresholds(const CandidateRows& rows);

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_MERGE_H_
