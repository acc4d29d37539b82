#ifndef WINNOW_SERVICES_SHARD_NAME_TURNS_H_
#define WINNOW_SERVICES_SHARD_NAME_TURNS_H_

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace winnow::shard {

// One change at a time of who has a name, on disk too, while those of other names go on: one may
// have to wait for an append, or for the disk. Thread-safe.
class NameTurns {
 public:
  // Ends when it is destroyed.
  class Turn {
   public:
    Turn(Turn&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)), name_(std::move(other.name_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->End(name_);
    }

   private:
    friend class NameTurns;
    Turn(NameTurns* turns, std::string name) : turns_(turns), name_(std::move(name)) {}

    NameTurns* turns_;
    std::string name_;
  };

  // Waits until nobody else has the name's turn; DEADLINE_EXCEEDED DEADLINE if that takes longer.
  absl::StatusOr<Turn> Take(const std::string& name, absl::Time deadline);

 private:
  void End(const std::string& name);

  absl::Mutex mu_;
  absl::flat_hash_set<std::string> taken_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_NAME_TURNS_H_
