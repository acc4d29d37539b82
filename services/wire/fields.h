#ifndef WINNOW_SERVICES_WIRE_FIELDS_H_
#define WINNOW_SERVICES_WIRE_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/context_record.h"
#include "winnow/v1/types.pb.h"

// Fields that several messages have. What is refused is INVALID_ARGUMENT and names the field, its
// value and its limit.
namespace winnow::wire {

inline constexpr size_t kMaxDirectoryBytes = 4096;

absl::StatusOr<Durability> ToDurability(v1::Durability durability);
v1::Durability FromDurability(Durability durability);

// Of the field; 0 is InfiniteDuration, for never.
absl::StatusOr<absl::Duration> ToTtl(uint64_t ttl_ms, const char* field = "ttl_ms");
// InfiniteDuration is 0; less than a millisecond, even less than nothing, is 1.
uint64_t FromDuration(absl::Duration duration);

// Of the field; 0 is InfiniteFuture, for never.
absl::StatusOr<absl::Time> ToExpiry(uint64_t expires_at_us, const char* field = "expires_at_us");
uint64_t FromExpiry(absl::Time expires_at);

// The fields `pinned` and `pinned_until_us` of a message. InfinitePast is what is not pinned.
template <typename Message>
absl::StatusOr<absl::Time> ToPin(const Message& message) {
  if (!message.pinned()) return absl::InfinitePast();
  return ToExpiry(message.pinned_until_us(), "pinned_until_us");
}
template <typename Message>
void SetPin(absl::Time until, Message* message) {
  message->set_pinned(until != absl::InfinitePast());
  if (message->pinned()) message->set_pinned_until_us(FromExpiry(until));
}

// Of a range of stripes that has at least `min_stripes`.
absl::Status CheckStripes(uint32_t first_stripe, uint32_t stripes, uint32_t min_stripes);
// An absolute path.
absl::Status CheckDirectory(const std::string& directory, size_t max_bytes = kMaxDirectoryBytes);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_FIELDS_H_
