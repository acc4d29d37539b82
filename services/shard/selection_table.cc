#include "services/shard/selection_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/error.h"

namespace winnow::shard {

namespace {

size_t BytesOf(const Selection::Rows& rows) {
  size_t bytes = sizeof(Selection) + rows.size() * sizeof(rows[0]);
  for (const auto& row : rows) bytes += row.size() * sizeof(row[0]);
  return bytes;
}

}  // namespace

Selection::Selection(std::weak_ptr<const Context> context, Rows candidates)
    : context_(std::move(context)), bytes_(BytesOf(candidates)), rows_(std::move(candidates)) {}

absl::StatusOr<Selection::Rows> Selection::FixWinners(
    const std::vector<kernels::Candidate>& thresholds) {
  absl::MutexLock lock(&mu_);
  if (thresholds.empty() && !thresholds_.empty()) return rows_;
  if (thresholds == thresholds_ && !thresholds.empty()) return rows_;
  if (!thresholds_.empty() || thresholds.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "THRESHOLDS",
                 thresholds.empty() ? "the selection's winners have not been fixed yet"
                                    : "the selection's winners were fixed by other thresholds");
  }
  if (thresholds.size() != rows_.size()) {
    return InvalidField("thresholds", absl::StrCat(thresholds.size()),
                        absl::StrCat("one for each of ", rows_.size(), " rows"));
  }
  for (size_t row = 0; row < rows_.size(); ++row) {
    std::vector<kernels::Candidate>& candidates = rows_[row];
    candidates.erase(
        std::upper_bound(candidates.begin(), candidates.end(), thresholds[row], kernels::Better),
        candidates.end());
    candidates.shrink_to_fit();
  }
  thresholds_ = thresholds;
  return rows_;
}

void SelectionTable::DropExpired(absl::Time now) {
  while (!by_use_.empty() && by_use_.front().used + ttl_ < now) DropLeastRecentlyUsed();
}

void SelectionTable::DropLeastRecentlyUsed() {
  bytes_ -= by_use_.front().selection->bytes();
  by_id_.erase(by_use_.front().id);
  by_use_.pop_front();
}

absl::Status SelectionTable::Insert(uint64_t id, std::shared_ptr<Selection> selection) {
  absl::MutexLock lock(&mu_);
  const absl::Time now = absl::Now();
  DropExpired(now);
  if (by_id_.contains(id)) {
    return InvalidField("selection_id", absl::StrCat(id), "one that is not in use");
  }
  bytes_ += selection->bytes();
  while (!by_use_.empty() && (by_use_.size() >= max_selections_ || bytes_ > max_bytes_)) {
    DropLeastRecentlyUsed();
  }
  by_use_.push_back({.id = id, .used = now, .selection = std::move(selection)});
  by_id_[id] = std::prev(by_use_.end());
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Selection>> SelectionTable::Find(uint64_t id,
                                                                const Context& context) {
  absl::MutexLock lock(&mu_);
  const absl::Time now = absl::Now();
  DropExpired(now);
  const auto it = by_id_.find(id);
  if (it == by_id_.end() || !it->second->selection->IsOf(context)) {
    return Error(absl::StatusCode::kNotFound, "SELECTION_EXPIRED",
                 absl::StrCat("selection ", id, " is not held any more; select again"));
  }
  it->second->used = now;
  by_use_.splice(by_use_.end(), by_use_, it->second);
  return it->second->selection;
}

}  // namespace winnow::shard
