#include "storage/context_record.h"

#include <xxhash.h>

#include <bit>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow {
namespace {

constexpr uint32_t kVersion = 2;
constexpr uint8_t kSealed = 1;
constexpr uint8_t kForked = 2;

template <typename Number>
void Put(Number value, std::string* out) {
  static_assert(std::endian::native == std::endian::little);
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutText(const std::string& text, std::string* out) {
  Put<uint32_t>(static_cast<uint32_t>(text.size()), out);
  *out += text;
}

// Nanoseconds since 1970; the least and the greatest number for the infinite past and future.
void PutTime(absl::Time time, std::string* out) {
  using Limits = std::numeric_limits<int64_t>;
  Put<int64_t>(time == absl::InfinitePast()     ? Limits::min()
               : time == absl::InfiniteFuture() ? Limits::max()
                                                : absl::ToUnixNanos(time),
               out);
}

// Takes values from the front of the bytes; `ok` turns false where there are too few.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename Number>
  Number Take() {
    Number value{};
    const std::string_view bytes = TakeBytes(sizeof value);
    if (ok_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  absl::Time TakeTime() {
    using Limits = std::numeric_limits<int64_t>;
    const auto nanos = Take<int64_t>();
    return nanos == Limits::min()   ? absl::InfinitePast()
           : nanos == Limits::max() ? absl::InfiniteFuture()
                                    : absl::FromUnixNanos(nanos);
  }
  std::string TakeText() { return std::string(TakeBytes(Take<uint32_t>())); }

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }

 private:
  std::string_view TakeBytes(size_t count) {
    ok_ = ok_ && count <= bytes_.size();
    if (!ok_) return {};
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

void PutProfile(const Profile& profile, std::string* out) {
  PutText(profile.name, out);
  Put<uint8_t>(static_cast<uint8_t>(profile.key_format), out);
  Put<uint8_t>(static_cast<uint8_t>(profile.row_format), out);
  for (const int value : {profile.index_heads, profile.index_dim, profile.latent_dim,
                          profile.rope_dim, profile.query_heads, profile.top_k}) {
    Put<int32_t>(value, out);
  }
  Put<float>(profile.softmax_scale, out);
  Put<uint32_t>(static_cast<uint32_t>(profile.layers.size()), out);
  for (const LayerKind kind : profile.layers) Put<uint8_t>(static_cast<uint8_t>(kind), out);
}

Profile TakeProfile(Reader* from) {
  Profile profile;
  profile.name = from->TakeText();
  profile.key_format = static_cast<kernels::KeyFormat>(from->Take<uint8_t>());
  profile.row_format = static_cast<kernels::RowFormat>(from->Take<uint8_t>());
  for (int* value : {&profile.index_heads, &profile.index_dim, &profile.latent_dim,
                     &profile.rope_dim, &profile.query_heads, &profile.top_k}) {
    *value = from->Take<int32_t>();
  }
  profile.softmax_scale = from->Take<float>();
  const uint32_t layers = from->Take<uint32_t>();
  for (uint32_t i = 0; i < layers && from->ok(); ++i) {
    profile.layers.push_back(static_cast<LayerKind>(from->Take<uint8_t>()));
  }
  return profile;
}

absl::Status Corrupt(std::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_RECORD",
               absl::StrCat("the record of a context is damaged: ", std::string(what)));
}

}  // namespace

std::string_view DurabilityName(Durability durability) {
  switch (durability) {
    case Durability::kMemory:
      return "memory";
    case Durability::kLogged:
      return "logged";
    case Durability::kSynced:
      return "synced";
    case Durability::kDefault:
      break;
  }
  return "default";
}

// Version 2, numbers little-endian, text as u32 length and bytes:
//   u32 version, u64 number, text context_id, text tenant
//   profile: text name, u8 key format, u8 row format, i32 index_heads, index_dim, latent_dim,
//            rope_dim, query_heads, top_k, f32 softmax_scale, u32 layers, u8 kind of each
//   u64 placement_key, u8 durability, u8 flags (1 sealed, 2 forked)
//   i64 pinned_until, i64 expires_at: see PutTime
//   if forked: text parent_id, u64 entries
//   u64 XXH3 of all of the above
// Every version begins with its number and ends in that checksum.
std::string EncodeContextRecord(const ContextRecord& record) {
  std::string out;
  Put<uint32_t>(kVersion, &out);
  Put<uint64_t>(record.number, &out);
  PutText(record.context_id, &out);
  PutText(record.tenant, &out);
  PutProfile(record.profile, &out);
  Put<uint64_t>(record.placement_key, &out);
  Put<uint8_t>(static_cast<uint8_t>(record.durability), &out);
  Put<uint8_t>((record.sealed ? kSealed : 0) | (record.origin.has_value() ? kForked : 0), &out);
  PutTime(record.pinned_until, &out);
  PutTime(record.expires_at, &out);
  if (record.origin.has_value()) {
    PutText(record.origin->parent_id, &out);
    Put<uint64_t>(record.origin->entries, &out);
  }
  Put<uint64_t>(XXH3_64bits(out.data(), out.size()), &out);
  return out;
}

absl::StatusOr<ContextRecord> DecodeContextRecord(std::string_view bytes) {
  if (bytes.size() < sizeof(uint32_t) + sizeof(uint64_t)) return Corrupt("it is too short");
  const std::string_view body = bytes.substr(0, bytes.size() - sizeof(uint64_t));
  if (Reader(bytes.substr(body.size())).Take<uint64_t>() != XXH3_64bits(body.data(), body.size())) {
    return Corrupt("its checksum does not match");
  }
  Reader from(body);
  const uint32_t version = from.Take<uint32_t>();
  if (version != kVersion) {
    return Error(absl::StatusCode::kFailedPrecondition, "UNKNOWN_VERSION",
                 absl::StrCat("the record of a context has version ", version,
                              "; this program reads version ", kVersion));
  }
  ContextRecord record;
  record.number = from.Take<uint64_t>();
  record.context_id = from.TakeText();
  record.tenant = from.TakeText();
  record.profile = TakeProfile(&from);
  record.placement_key = from.Take<uint64_t>();
  record.durability = static_cast<Durability>(from.Take<uint8_t>());
  if (record.durability > Durability::kSynced) return Corrupt("it has a durability there is not");
  const uint8_t flags = from.Take<uint8_t>();
  record.sealed = (flags & kSealed) != 0;
  record.pinned_until = from.TakeTime();
  record.expires_at = from.TakeTime();
  if ((flags & kForked) != 0) {
    record.origin.emplace();
    record.origin->parent_id = from.TakeText();
    record.origin->entries = from.Take<uint64_t>();
  }
  if (!from.at_end()) return Corrupt("its fields do not fill it");
  return record;
}

}  // namespace winnow
