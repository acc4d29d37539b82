#ifndef WINNOW_TESTS_SUPPORT_FAKE_SHARD_CHANNEL_H_
#define WINNOW_TESTS_SUPPORT_FAKE_SHARD_CHANNEL_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/coordinator/shard_channel.h"
#include "services/shard/compute.h"
#include "services/shard/shard.h"

namespace winnow::testing {

// A shard in this process that does wrong what it is told to. Faults are given for one kind of
// call, wait for the `after` next calls of that kind to go well, and happen once. They are:
//   Fail        the shard never sees the call; the channel reports an error
//   LoseAnswer  the shard does its work; the channel reports an error
//   Drop        the shard never sees the call and nobody ever answers it
//   Hold        the shard does its work; its answer waits for Release()
//   Edit        the shard's answer is changed on its way
//   AnswerTwice the shard's answer arrives a second time, as an error
//   Answer      the shard never sees the call; the answer is the test's
// and, of no call, Restart: the shard forgets all that it held. Thread-safe.
class FakeShard {
 public:
  // The pool is borrowed.
  explicit FakeShard(kernels::WorkerPool* pool, const shard::ShardOptions& options = {});

  template <typename Call>
  void Fail(absl::Status status, int after = 0) {
    Add<Call>({.kind = Fault::kFail, .after = after, .status = std::move(status)});
  }
  template <typename Call>
  void LoseAnswer(absl::Status status, int after = 0) {
    Add<Call>({.kind = Fault::kLoseAnswer, .after = after, .status = std::move(status)});
  }
  template <typename Call>
  void Drop() {
    Add<Call>({.kind = Fault::kDrop});
  }
  template <typename Call>
  void Hold() {
    Add<Call>({.kind = Fault::kHold});
  }
  template <typename Call>
  void Edit(std::function<void(shard::Result*)> edit, int after = 0) {
    Add<Call>({.kind = Fault::kEdit, .after = after, .edit = std::move(edit)});
  }
  // Edits only a result of that kind, which the answer must be.
  template <typename Call, typename T>
  void EditResult(std::function<void(T*)> edit) {
    Edit<Call>([edit = std::move(edit)](shard::Result* result) { edit(&std::get<T>(*result)); });
  }
  template <typename Call>
  void AnswerTwice() {
    Add<Call>({.kind = Fault::kAnswerTwice});
  }
  template <typename Call>
  void Answer(shard::Result result) {
    Add<Call>({.kind = Fault::kAnswer, .result = std::move(result)});
  }
  void Restart();

  // Answers what was held back; returns how many answers those were.
  size_t Release();

  // Calls of that kind that reached the channel.
  template <typename Call>
  int calls() const {
    absl::MutexLock lock(&mu_);
    return calls_[shard::Call(Call{}).index()];
  }

  // The last of them; what it borrowed may be gone.
  template <typename Call>
  Call last() const {
    absl::MutexLock lock(&mu_);
    return std::get<Call>(last_[shard::Call(Call{}).index()]);
  }

  // What the shard itself answers, faults aside; to a call without an incarnation, about the
  // context that is there.
  absl::StatusOr<shard::Result> Ask(const shard::Call& call);

  void Start(const shard::Call& call, absl::Time deadline, coordinator::ShardChannel::Done done);

 private:
  struct Fault {
    enum Kind { kNone, kFail, kLoseAnswer, kDrop, kHold, kEdit, kAnswerTwice, kAnswer };
    Kind kind = kNone;
    size_t call = 0;  // index of the call's alternative
    int after = 0;
    absl::Status status = {};
    std::function<void(shard::Result*)> edit = {};
    shard::Result result = {};
  };
  struct Held {
    coordinator::ShardChannel::Done done;
    absl::StatusOr<shard::Result> result;
  };

  template <typename Call>
  void Add(Fault fault) {
    absl::MutexLock lock(&mu_);
    fault.call = shard::Call(Call{}).index();
    faults_.push_back(std::move(fault));
  }
  // Notes the call, and takes the fault that is due for it.
  Fault Next(const shard::Call& call);
  std::shared_ptr<shard::Shard> current();

  shard::CpuCompute compute_;
  const shard::ShardOptions options_;
  mutable absl::Mutex mu_;
  std::shared_ptr<shard::Shard> shard_ ABSL_GUARDED_BY(mu_);
  std::vector<Fault> faults_ ABSL_GUARDED_BY(mu_);
  std::vector<Held> held_ ABSL_GUARDED_BY(mu_);
  std::vector<coordinator::ShardChannel::Done> dropped_ ABSL_GUARDED_BY(mu_);
  std::vector<int> calls_ ABSL_GUARDED_BY(mu_) = std::vector<int>(std::variant_size_v<shard::Call>);
  std::vector<shard::Call> last_ ABSL_GUARDED_BY(mu_) =
      std::vector<shard::Call>(std::variant_size_v<shard::Call>);
};

class FakeShardChannel final : public coordinator::ShardChannel {
 public:
  // The shard is borrowed.
  explicit FakeShardChannel(FakeShard* shard, bool in_process = true)
      : shard_(*shard), in_process_(in_process) {}

  void Start(const shard::Call& call, absl::Time deadline, Done done) override {
    shard_.Start(call, deadline, std::move(done));
  }
  std::string address() const override { return "fake"; }
  bool in_process() const override { return in_process_; }

 private:
  FakeShard& shard_;
  const bool in_process_;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SUPPORT_FAKE_SHARD_CHANNEL_H_
