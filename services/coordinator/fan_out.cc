#include "services/coordinator/fan_out.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "storage/error.h"

namespace winnow::coordinator {
namespace {

// A channel answers at the deadline; this much later it has broken that promise.
constexpr absl::Duration kGrace = absl::Milliseconds(250);

// Outlives the fan-out, so that an answer that comes too late finds somewhere to go.
class Collector {
 public:
  explicit Collector(size_t calls) : answers_(calls), open_(calls) {}

  void Set(size_t i, Answer answer) {
    absl::MutexLock lock(&mu_);
    if (closed_ || answers_[i].has_value()) return;
    answers_[i] = std::move(answer);
    --open_;
  }

  std::vector<std::optional<Answer>> WaitUntil(absl::Time deadline) {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithDeadline(absl::Condition(this, &Collector::AllSet), deadline);
    closed_ = true;
    return std::move(answers_);
  }

 private:
  bool AllSet() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return open_ == 0; }

  absl::Mutex mu_;
  std::vector<std::optional<Answer>> answers_ ABSL_GUARDED_BY(mu_);
  size_t open_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

Answer Late(const ShardChannel& channel, uint32_t shard, absl::Duration waited) {
  return {.result = Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
                          absl::StrCat("shard ", shard, " at ", channel.address(),
                                       " did not answer before the deadline"),
                          {{"shards", absl::StrCat(shard)}}),
          .round_trip = waited};
}

void Start(ShardChannel& channel, const shard::Call& call, absl::Time deadline, size_t index,
           const std::shared_ptr<Collector>& collector) {
  channel.Start(
      call, deadline, [collector, index, sent = absl::Now()](absl::StatusOr<shard::Result> result) {
        collector->Set(index, {.result = std::move(result), .round_trip = absl::Now() - sent});
      });
}

}  // namespace

absl::Status UnexpectedAnswer(uint32_t shard) {
  return Error(absl::StatusCode::kInternal, "BAD_REPLY",
               absl::StrCat("shard ", shard, " answered with another kind of result"));
}

std::vector<Answer> CallAll(Channels channels, std::span<const shard::Call> calls,
                            absl::Time deadline) {
  const absl::Time start = absl::Now();
  auto collector = std::make_shared<Collector>(calls.size());
  for (size_t i = 0; i < calls.size(); ++i) Start(*channels[i], calls[i], deadline, i, collector);
  std::vector<Answer> answers;
  for (std::optional<Answer>& answer : collector->WaitUntil(deadline + kGrace)) {
    const auto shard = static_cast<uint32_t>(answers.size());
    answers.push_back(answer ? *std::move(answer)
                             : Late(*channels[shard], shard, absl::Now() - start));
  }
  return answers;
}

std::vector<Answer> Broadcast(Channels channels, const shard::Call& call, absl::Time deadline) {
  return CallAll(channels, std::vector<shard::Call>(channels.size(), call), deadline);
}

absl::Status Change(Channels channels, std::span<const shard::Call> calls, absl::Time deadline) {
  return ResultsOf<shard::Done>(CallAll(channels, calls, deadline)).status();
}

absl::StatusOr<shard::Result> CallOne(Channels channels, uint32_t shard, const shard::Call& call,
                                      absl::Time deadline) {
  const absl::Time start = absl::Now();
  auto collector = std::make_shared<Collector>(1);
  Start(*channels[shard], call, deadline, 0, collector);
  std::optional<Answer> answer = std::move(collector->WaitUntil(deadline + kGrace)[0]);
  return answer ? std::move(answer->result)
                : Late(*channels[shard], shard, absl::Now() - start).result;
}

}  // namespace winnow::coordinator
