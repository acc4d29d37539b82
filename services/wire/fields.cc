#include "services/wire/fields.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/error.h"
#include "storage/stripe.h"

namespace winnow::wire {
namespace {

constexpr uint64_t kMinTtlMs = 1000;
constexpr uint64_t kMaxTtlMs = uint64_t{3650} * 24 * 3600 * 1000;
constexpr uint64_t kMaxMicros = std::numeric_limits<int64_t>::max();
// What an error repeats of a path.
constexpr size_t kShownBytes = 64;

}  // namespace

absl::StatusOr<Durability> ToDurability(v1::Durability durability) {
  if (v1::Durability_IsValid(durability)) return static_cast<Durability>(durability);
  return InvalidField("durability", absl::StrCat(static_cast<int>(durability)),
                      "UNSPECIFIED (0), MEMORY (1), LOGGED (2) or SYNCED (3)");
}

v1::Durability FromDurability(Durability durability) {
  return static_cast<v1::Durability>(durability);
}

absl::StatusOr<absl::Duration> ToTtl(uint64_t ttl_ms, const char* field) {
  if (ttl_ms == 0) return absl::InfiniteDuration();
  if (ttl_ms < kMinTtlMs || ttl_ms > kMaxTtlMs) {
    return InvalidField(field, absl::StrCat(ttl_ms),
                        absl::StrCat("0 for never, or ", kMinTtlMs, "..", kMaxTtlMs));
  }
  return absl::Milliseconds(static_cast<int64_t>(ttl_ms));
}

uint64_t FromDuration(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return 0;
  return static_cast<uint64_t>(std::max<int64_t>(1, absl::ToInt64Milliseconds(duration)));
}

absl::StatusOr<absl::Time> ToExpiry(uint64_t expires_at_us, const char* field) {
  if (expires_at_us == 0) return absl::InfiniteFuture();
  if (expires_at_us > kMaxMicros) {
    return InvalidField(field, absl::StrCat(expires_at_us),
                        absl::StrCat("0 for never, or at most ", kMaxMicros));
  }
  return absl::FromUnixMicros(static_cast<int64_t>(expires_at_us));
}

uint64_t FromExpiry(absl::Time expires_at) {
  if (expires_at == absl::InfiniteFuture()) return 0;
  return static_cast<uint64_t>(std::max<int64_t>(1, absl::ToUnixMicros(expires_at)));
}

absl::Status CheckStripes(uint32_t first_stripe, uint32_t stripes, uint32_t min_stripes) {
  if (first_stripe >= kMaxStripes) {
    return InvalidField("first_stripe", absl::StrCat(first_stripe),
                        absl::StrCat("0..", kMaxStripes - 1));
  }
  if (stripes >= min_stripes && stripes <= kMaxStripes) return absl::OkStatus();
  return InvalidField("stripes", absl::StrCat(stripes),
                      absl::StrCat(min_stripes, "..", kMaxStripes));
}

absl::Status CheckDirectory(const std::string& directory, size_t max_bytes) {
  if (directory.size() > max_bytes) {
    return InvalidField("directory", absl::StrCat(directory.size(), " bytes long"),
                        absl::StrCat("at most ", max_bytes, " bytes"));
  }
  if (directory.starts_with('/') && directory.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return InvalidField("directory",
                      absl::StrCat("'", absl::CHexEscape(directory.substr(0, kShownBytes)), "'"),
                      "an absolute path without a zero byte");
}

}  // namespace winnow::wire
