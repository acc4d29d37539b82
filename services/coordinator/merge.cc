#include "services/coordinator/merge.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "kernels/backend.h"
#include "storage/error.h"
#include "storage/stripe.h"

namespace winnow::coordinator {
namespace {

// Entries that a row which sees `visible` finds in these stripes.
uint64_t VisibleIn(const std::vector<uint32_t>& stripes, uint32_t visible) {
  uint64_t entries = 0;
  for (const uint32_t stripe : stripes) {
    const uint64_t start = uint64_t{stripe} * kStripeEntries;
    if (start < visible) entries += std::min<uint64_t>(kStripeEntries, visible - start);
  }
  return entries;
}

// owned: whether the shard was asked to score a stripe, by stripe number.
bool IsValid(const std::vector<kernels::Candidate>& row, const std::vector<bool>& owned,
             uint32_t visible) {
  return AreOrdered(row, visible) &&
         std::all_of(row.begin(), row.end(), [&owned](const kernels::Candidate& candidate) {
           const uint32_t stripe = candidate.position / kStripeEntries;
           return stripe < owned.size() && owned[stripe];
         });
}

}  // namespace

bool AreOrdered(const std::vector<kernels::Candidate>& row, uint64_t end) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (std::isnan(row[i].score) || row[i].position >= end) return false;
    if (i > 0 && !kernels::Better(row[i - 1], row[i])) return false;
  }
  return true;
}

absl::Status CheckCandidates(const std::vector<shard::SelectResult>& results,
                             const std::vector<std::vector<uint32_t>>& stripes,
                             const std::vector<uint32_t>& visible_entries, uint32_t top_k) {
  for (size_t shard = 0; shard < results.size(); ++shard) {
    const CandidateRows& rows = results[shard].candidates;
    std::vector<bool> owned(stripes[shard].empty() ? 0 : stripes[shard].back() + 1);
    for (const uint32_t stripe : stripes[shard]) owned[stripe] = true;
    bool valid = rows.size() == visible_entries.size();
    for (size_t row = 0; valid && row < rows.size(); ++row) {
      const uint32_t visible = visible_entries[row];
      valid = rows[row].size() == std::min<uint64_t>(top_k, VisibleIn(stripes[shard], visible)) &&
              IsValid(rows[row], owned, visible);
    }
    if (!valid) {
      return Error(absl::StatusCode::kInternal, "BAD_REPLY",
                   absl::StrCat("shard ", shard, " sent candidates that cannot be its best"));
    }
  }
  return absl::OkStatus();
}

CandidateRows MergeRows(const std::vector<shard::SelectResult>& results, uint32_t top_k) {
  CandidateRows merged(results.front().candidates.size());
  for (size_t row = 0; row < merged.size(); ++row) {
    std::vector<std::span<const kernels::Candidate>> lists;
    for (const shard::SelectResult& result : results) lists.emplace_back(result.candidates[row]);
    kernels::MergeCandidates(lists, top_k, &merged[row]);
  }
  return merged;
}

std::vector<kernels::Candidate> Thresholds(const CandidateRows& rows) {
  std::vector<kernels::Candidate> thresholds;
  for (const auto& row : rows) thresholds.push_back(row.back());
  return thresholds;
}

}  // namespace winnow::coordinator
