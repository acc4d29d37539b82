#ifndef WINNOW_SERVICES_COORDINATOR_FAN_OUT_H_
#define WINNOW_SERVICES_COORDINATOR_FAN_OUT_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/coordinator/shard_channel.h"

namespace winnow::coordinator {

// A shard's answer, and how long it took.
struct Answer {
  absl::StatusOr<shard::Result> result;
  absl::Duration round_trip;
};

using Channels = std::span<const std::unique_ptr<ShardChannel>>;

// Sends calls[i] to channels[i] and waits for all answers. A shard that has not answered shortly
// after the deadline counts as DEADLINE_EXCEEDED, whatever its channel does.
std::vector<Answer> CallAll(Channels channels, std::span<const shard::Call> calls,
                            absl::Time deadline);

// One call to one shard, with the same promise.
absl::StatusOr<shard::Result> CallOne(Channels channels, uint32_t shard, const shard::Call& call,
                                      absl::Time deadline);

// The same call to every shard.
std::vector<Answer> Broadcast(Channels channels, const shard::Call& call, absl::Time deadline);

absl::Status UnexpectedAnswer(uint32_t shard);

// The results of all shards, or the error of the first that has one. INTERNAL BAD_REPLY if a shard
// answered with another kind of result.
template <typename T>
absl::StatusOr<std::vector<T>> ResultsOf(std::vector<Answer> answers) {
  std::vector<T> results;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].result.ok()) return answers[i].result.status();
    T* result = std::get_if<T>(&*answers[i].result);
    if (result == nullptr) return UnexpectedAnswer(static_cast<uint32_t>(i));
    results.push_back(std::move(*result));
  }
  return results;
}

// Of calls that are answered with Done: OK, or the error of the first shard that has one.
absl::Status Change(Channels channels, std::span<const shard::Call> calls, absl::Time deadline);

// [shards] the same call to each shard, about its own part of a context.
template <typename PartCall>
std::vector<shard::Call> ToParts(PartCall call, std::span<const uint64_t> incarnations) {
  std::vector<shard::Call> calls;
  for (const uint64_t incarnation : incarnations) {
    call.incarnation = incarnation;
    calls.push_back(call);
  }
  return calls;
}

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_FAN_OUT_H_
