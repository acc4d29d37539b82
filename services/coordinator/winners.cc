#include "services/coordinator/winners.h"

#include <algorithm>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/backend.h"
#include "services/coordinator/validate.h"
#include "storage/error.h"

namespace winnow::coordinator {
namespace {

// That no row has more winners than can be chosen.
absl::Status CheckWidths(const std::vector<shard::AttendResult>& results) {
  for (size_t row = 0; row < results.front().counts.size(); ++row) {
    uint64_t winners = 0;
    for (const shard::AttendResult& result : results) winners += result.counts[row];
    if (winners <= uint64_t{kernels::kMaxTopK}) continue;
    return Error(absl::StatusCode::kInternal, "BAD_REPLY",
                 absl::StrCat("the shards sent ", winners, " winners of query row ", row,
                              "; at most ", kernels::kMaxTopK, " can be chosen"));
  }
  return absl::OkStatus();
}

absl::Status BadReply(size_t shard, const char* what) {
  return Error(absl::StatusCode::kInternal, "BAD_REPLY",
               absl::StrCat("shard ", shard, " sent ", what, " of another size than its winners"));
}

// Attention over no rows has -inf, and nothing else may be infinite.
bool IsSoundLse(float lse) { return lse < std::numeric_limits<float>::infinity(); }

}  // namespace

absl::Status Overflow(const std::string& where) {
  return Error(absl::StatusCode::kInternal, "OVERFLOW",
               absl::StrCat("the attention of ", where,
                            " is not finite: its queries or KV rows are ", "too large for fp32"));
}

WinnerCounts CountWinners(const std::vector<shard::SelectResult>& results,
                          const std::vector<kernels::Candidate>& thresholds) {
  WinnerCounts winners;
  for (const shard::SelectResult& result : results) {
    std::vector<uint32_t>& counts = winners.emplace_back();
    for (size_t row = 0; row < thresholds.size(); ++row) {
      const auto& list = result.candidates[row];
      const auto end = std::upper_bound(list.begin(), list.end(), thresholds[row], kernels::Better);
      counts.push_back(static_cast<uint32_t>(end - list.begin()));
    }
  }
  return winners;
}

absl::Status CheckWinners(const std::vector<shard::AttendResult>& results,
                          const WinnerCounts& expected) {
  for (size_t shard = 0; shard < results.size(); ++shard) {
    if (results[shard].counts == expected[shard]) continue;
    return Error(absl::StatusCode::kInternal, "BAD_REPLY",
                 absl::StrCat("shard ", shard, " answered for other winners than it has; in each ",
                              "row [", absl::StrJoin(results[shard].counts, ", "), "], not [",
                              absl::StrJoin(expected[shard], ", "), "]"));
  }
  return absl::OkStatus();
}

absl::Status CheckShapes(const Profile& profile, const std::vector<shard::AttendResult>& results,
                         AttendPath path, bool with_winners) {
  const size_t rows = results.front().counts.size();
  for (size_t i = 0; i < results.size(); ++i) {
    const shard::AttendResult& result = results[i];
    if (result.counts.size() != rows) return BadReply(i, "counts");
    size_t winners = 0;
    for (const uint32_t count : result.counts) winners += count;
    const bool gathers = path == AttendPath::kGather;
    if (gathers || with_winners) {
      if (result.winners.size() != rows) return BadReply(i, "winners");
      for (size_t row = 0; row < rows; ++row) {
        if (result.winners[row].size() != result.counts[row]) return BadReply(i, "winners");
        if (!AreOrdered(result.winners[row], kMaxEntries)) {
          return Error(absl::StatusCode::kInternal, "BAD_REPLY",
                       absl::StrCat("shard ", i, " sent winners that are not in order"));
        }
      }
    }
    if (result.kv_rows.size() != (gathers ? winners * profile.row_bytes() : 0)) {
      return BadReply(i, "KV rows");
    }
    const bool pushes_down = path == AttendPath::kPushDown;
    const size_t heads = pushes_down ? rows * profile.query_heads : 0;
    if (result.outputs.size() != heads * profile.latent_dim || result.lse.size() != heads) {
      return BadReply(i, "outputs");
    }
    for (const float lse : result.lse) {
      if (!IsSoundLse(lse)) return Overflow(absl::StrCat("shard ", i));
    }
  }
  return CheckWidths(results);
}

CandidateRows MergeWinners(const std::vector<shard::AttendResult>& results) {
  CandidateRows merged(results.front().winners.size());
  for (size_t row = 0; row < merged.size(); ++row) {
    std::vector<std::span<const kernels::Candidate>> lists;
    for (const shard::AttendResult& result : results) lists.emplace_back(result.winners[row]);
    kernels::MergeCandidates(lists, kernels::kMaxTopK, &merged[row]);
  }
  return merged;
}

std::vector<std::vector<WinnerRow>> OrderedRows(const std::vector<shard::AttendResult>& results,
                                                size_t row_bytes) {
  std::vector<std::vector<WinnerRow>> rows(results.front().winners.size());
  for (const shard::AttendResult& result : results) {
    const char* next = result.kv_rows.data();
    for (size_t row = 0; row < result.winners.size(); ++row) {
      for (const kernels::Candidate& winner : result.winners[row]) {
        rows[row].push_back({winner, reinterpret_cast<const std::byte*>(next)});
        next += row_bytes;
      }
    }
  }
  for (std::vector<WinnerRow>& row : rows) {
    std::sort(row.begin(), row.end(), [](const WinnerRow& a, const WinnerRow& b) {
      return kernels::Better(a.winner, b.winner);
    });
  }
  return rows;
}

}  // namespace winnow::coordinator
