#ifndef WINNOW_SERVICES_COORDINATOR_WINNERS_H_
#define WINNOW_SERVICES_COORDINATOR_WINNERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/coordinator/merge.h"
#include "services/coordinator/requests.h"

// What the shards' answers about winners amount to: pure functions of them.
namespace winnow::coordinator {

// [shards][T] winners of each shard in each row.
using WinnerCounts = std::vector<std::vector<uint32_t>>;
WinnerCounts CountWinners(const std::vector<shard::SelectResult>& results,
                          const std::vector<kernels::Candidate>& thresholds);

// That every shard has as many winners in each row as CountWinners counted: none is left out.
// INTERNAL BAD_REPLY otherwise.
absl::Status CheckWinners(const std::vector<shard::AttendResult>& results,
                          const WinnerCounts& expected);

// INTERNAL OVERFLOW: a NaN is never served as a result.
absl::Status Overflow(const std::string& where);

// That each shard's answer has the shapes that the path promises, with positions if they were asked
// for, that winners are in order and no row has more than can be chosen, INTERNAL BAD_REPLY
// otherwise, and INTERNAL OVERFLOW for a log-sum-exp that is no number.
absl::Status CheckShapes(const Profile& profile, const std::vector<shard::AttendResult>& results,
                         AttendPath path, bool with_winners);

// The winners of each row over all shards, best first. CheckShapes must have found them sound.
CandidateRows MergeWinners(const std::vector<shard::AttendResult>& results);

// A winner and where its KV row was received.
struct WinnerRow {
  kernels::Candidate winner;
  const std::byte* bytes;
};

// [T] the rows of all shards, best first: the order does not depend on the sharding, so neither do
// the sums of an attention over them. They borrow from the results.
std::vector<std::vector<WinnerRow>> OrderedRows(const std::vector<shard::AttendResult>& results,
                                                size_t row_bytes);

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_WINNERS_H_
