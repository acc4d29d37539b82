#ifndef WINNOW_STORAGE_CONTEXT_RECORD_H_
#define WINNOW_STORAGE_CONTEXT_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/profile.h"

namespace winnow {

// When an append is acknowledged.
enum class Durability : uint8_t {
  kDefault = 0,  // the shard's own choice
  kMemory = 1,   // once it is in memory; lost when the process ends
  kLogged = 2,   // once the system has it; survives the end of the process
  kSynced = 3,   // once the disk has it; survives a loss of power
};

// "memory", "logged", "synced" or "default".
std::string_view DurabilityName(Durability durability);

// What a fork was made of.
struct ForkOrigin {
  std::string parent_id;
  uint64_t entries = 0;

  friend bool operator==(const ForkOrigin&, const ForkOrigin&) = default;
};

// What a shard keeps of a context besides its entries.
struct ContextRecord {
  // Unique within a shard and never used again; later ones are greater.
  uint64_t number = 0;
  std::string context_id;
  std::string tenant;
  Profile profile;
  uint64_t placement_key = 0;
  Durability durability = Durability::kMemory;
  bool sealed = false;
  absl::Time pinned_until = absl::InfinitePast();  // it stays in memory
  absl::Time expires_at = absl::InfiniteFuture();
  std::optional<ForkOrigin> origin;

  friend bool operator==(const ContextRecord&, const ContextRecord&) = default;
};

// A versioned encoding that ends in a checksum.
std::string EncodeContextRecord(const ContextRecord& record);
// DATA_LOSS CORRUPT_RECORD if the bytes are not what EncodeContextRecord wrote,
// FAILED_PRECONDITION UNKNOWN_VERSION if a later version of Winnow wrote them.
absl::StatusOr<ContextRecord> DecodeContextRecord(std::string_view bytes);

}  // namespace winnow

#endif  // WINNOW_STORAGE_CONTEXT_RECORD_H_
