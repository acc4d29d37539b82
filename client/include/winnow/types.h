#ifndef WINNOW_CLIENT_INCLUDE_WINNOW_TYPES_H_
#define WINNOW_CLIENT_INCLUDE_WINNOW_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "storage/context_record.h"
#include "storage/profile.h"

// What calls take and return. Tensors are row-major and little-endian; spans are borrowed until the
// call returns (for the asynchronous ones: until it has been started). T is the number of query
// rows.
namespace winnow::client {

// Entries of one layer, `count` of them.
struct LayerEntries {
  int layer = 0;
  std::span<const std::byte> index_keys;  // [count, profile.key_bytes()]; empty for a shared layer
  std::span<const std::byte> kv_rows;     // [count, profile.row_bytes()]
};

struct AppendResult {
  uint64_t end_position = 0;     // where the appended layers end now
  uint64_t entries_written = 0;  // over all layers; those that were there already do not count
};

// The indexer's side of a query, quantised and rotated by the engine.
struct IndexQuery {
  std::span<const std::byte> queries;     // [T, index_heads, query bytes of the key format]
  std::span<const float> weights;         // [T, index_heads]
  std::vector<uint64_t> visible_entries;  // [T] entries that each row may see
  uint32_t top_k = 0;                     // 0: the profile's
};

// A new selection, or the id of an earlier one.
using SelectionSource = std::variant<IndexQuery, uint64_t>;

enum class AttendPath { kAuto = 0, kGather = 1, kPushDown = 2 };

struct AttendRequest {
  int layer = 0;
  SelectionSource source;
  std::span<const std::byte> queries;  // [T, query_heads, latent_dim + rope_dim] bf16
  std::span<const float> sink;         // [query_heads] logits that take weight only; may be empty
  AttendPath path = AttendPath::kAuto;
  bool return_selection = false;
};

// What a call cost inside the service; field for field the proto's CallStats.
struct CallStats {
  uint64_t entries_scanned = 0;
  uint64_t index_bytes_read = 0;
  uint64_t bytes_moved = 0;
  uint32_t shards = 0;
  AttendPath path = AttendPath::kAuto;
  uint64_t total_us = 0;
  uint64_t plan_us = 0;
  uint64_t select_us = 0;
  uint64_t score_us = 0;
  uint64_t merge_us = 0;
  uint64_t fetch_us = 0;
  uint64_t shard_attend_us = 0;
  uint64_t attend_us = 0;
  uint64_t score_us_sum = 0;
  uint64_t cold_index_bytes = 0;
  uint64_t cold_rows = 0;
  uint64_t cached_rows = 0;
};

struct Selection {
  // For later calls, until the shards' --selection-ttl (60 s) after its last use, or until they
  // have kept --max-selections (4,096) newer ones or 256 MiB of them.
  uint64_t selection_id = 0;
  uint32_t rows = 0;  // T
  uint32_t top_k = 0;
  std::vector<int32_t> positions;  // [rows, top_k] best first, padded with -1; may be empty
  std::vector<float> scores;       // [rows, top_k] padded with -inf; may be empty
};

struct SelectResult {
  Selection selection;
  CallStats stats;
};

struct GatherResult {
  Selection selection;
  std::string kv_rows;  // [rows, top_k, profile.row_bytes()], zero where the position is -1
  CallStats stats;
};

struct AttendResult {
  std::vector<float> outputs;  // [T, query_heads, latent_dim]
  std::vector<float> lse;      // [T, query_heads] natural log of sum exp(logit), without the sink
  Selection selection;         // the id always; positions and scores if asked for
  CallStats stats;
};

// How a context is made.
struct ContextOptions {
  Durability durability = Durability::kDefault;   // kDefault: what the service prefers
  absl::Duration ttl = absl::InfiniteDuration();  // from its creation or its last renewal on
};

struct ContextInfo {
  std::string context_id;
  std::string tenant;
  std::string profile_fingerprint;
  Durability durability = Durability::kDefault;
  bool sealed = false;
  bool pinned = false;
  absl::Duration pinned_for = absl::InfiniteDuration();  // how much longer, if it is
  absl::Duration expires_in = absl::InfiniteDuration();
  uint64_t entries = 0;  // that every stored layer holds
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
  uint64_t resident_index_bytes = 0;    // of index_bytes, in memory
  uint64_t resident_kv_bytes = 0;       // of kv_bytes, in memory
  uint64_t stored_bytes = 0;            // of both, on disk
  std::vector<uint64_t> layer_entries;  // Describe only
  std::vector<uint64_t> shard_entries;  // Describe only
  std::string damage;                   // List only: what Describe says where a part is lost
};

struct RegisteredProfile {
  std::string fingerprint;
  Profile profile;
};

}  // namespace winnow::client

#endif  // WINNOW_CLIENT_INCLUDE_WINNOW_TYPES_H_
