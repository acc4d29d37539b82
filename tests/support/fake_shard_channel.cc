#include "tests/support/fake_shard_channel.h"

#include <utility>

#include "kernels/backend.h"
#include "tests/support/held_context.h"

namespace winnow::testing {

FakeShard::FakeShard(kernels::WorkerPool* pool, const shard::ShardOptions& options)
    : compute_(kernels::ChooseBackend("reference"), pool), options_(options) {
  Restart();
}

void FakeShard::Restart() {
  absl::MutexLock lock(&mu_);
  shard_.reset();  // two shards cannot have one data directory
  shard_ = shard::Shard::Open(options_, &compute_).value();
}

std::shared_ptr<shard::Shard> FakeShard::current() {
  absl::MutexLock lock(&mu_);
  return shard_;
}

absl::StatusOr<shard::Result> FakeShard::Ask(const shard::Call& call) {
  const std::shared_ptr<shard::Shard> shard = current();
  return shard->Handle(OfHeldContext(*shard, call), absl::InfiniteFuture());
}

FakeShard::Fault FakeShard::Next(const shard::Call& call) {
  absl::MutexLock lock(&mu_);
  ++calls_[call.index()];
  last_[call.index()] = call;
  for (auto it = faults_.begin(); it != faults_.end(); ++it) {
    if (it->call != call.index()) continue;
    if (it->after-- > 0) break;
    Fault fault = std::move(*it);
    faults_.erase(it);
    return fault;
  }
  return {};
}

void FakeShard::Start(const shard::Call& call, absl::Time deadline,
                      coordinator::ShardChannel::Done done) {
  const Fault fault = Next(call);
  if (fault.kind == Fault::kFail) return done(fault.status);
  if (fault.kind == Fault::kAnswer) return done(fault.result);
  if (fault.kind == Fault::kDrop) {
    absl::MutexLock lock(&mu_);
    dropped_.push_back(std::move(done));
    return;
  }
  absl::StatusOr<shard::Result> result = current()->Handle(call, deadline);
  if (fault.kind == Fault::kLoseAnswer) return done(fault.status);
  if (fault.kind == Fault::kEdit && result.ok()) fault.edit(&*result);
  if (fault.kind == Fault::kHold) {
    absl::MutexLock lock(&mu_);
    held_.push_back({std::move(done), std::move(result)});
    return;
  }
  done(std::move(result));
  if (fault.kind == Fault::kAnswerTwice) done(absl::InternalError("a second answer"));
}

size_t FakeShard::Release() {
  std::vector<Held> held;
  {
    absl::MutexLock lock(&mu_);
    held = std::move(held_);
    held_.clear();
  }
  for (Held& answer : held) answer.done(std::move(answer.result));
  return held.size();
}

}  // namespace winnow::testing
