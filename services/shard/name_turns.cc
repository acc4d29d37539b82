#include "services/shard/name_turns.h"

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow::shard {

absl::StatusOr<NameTurns::Turn> NameTurns::Take(const std::string& name, absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  const auto is_free = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !taken_.contains(name); };
  if (!mu_.AwaitWithDeadline(absl::Condition(&is_free), deadline)) {
    return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
                 absl::StrCat("another call makes or removes context ", name, "; try again"));
  }
  taken_.insert(name);
  return Turn(this, name);
}

void NameTurns::End(const std::string& name) {
  absl::MutexLock lock(&mu_);
  taken_.erase(name);
}

}  // namespace winnow::shard
