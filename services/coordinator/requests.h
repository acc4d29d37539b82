#ifndef WINNOW_SERVICES_COORDINATOR_REQUESTS_H_
#define WINNOW_SERVICES_COORDINATOR_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "services/shard/messages.h"
#include "storage/profile.h"
#include "storage/stripe.h"

// What a client asks of the coordinator, in native types; proto/winnow/v1 is the same on the wire
// and documents each field. Spans are borrowed for the length of the call.
namespace winnow::coordinator {

using shard::AttendPath;

struct ContextName {
  std::string tenant;  // never empty here
  std::string context_id;
};

// How a context is made.
struct ContextOptions {
  Durability durability = Durability::kDefault;
  absl::Duration ttl = absl::InfiniteDuration();  // from its creation or its last renewal on
};

struct AppendEntries {
  ContextName context;
  uint64_t start_position = 0;
  uint32_t count = 0;
  std::vector<LayerBytes> layers;
};

struct AppendReply {
  uint64_t end_position = 0;
  uint64_t entries_written = 0;
};

struct ContextInfo {
  std::string context_id;
  std::string tenant;
  std::string profile_fingerprint;
  Durability durability = Durability::kDefault;
  bool sealed = false;
  bool pinned = false;
  absl::Duration pinned_for = absl::InfiniteDuration();  // if it is
  absl::Duration expires_in = absl::InfiniteDuration();
  uint64_t entries = 0;
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
  uint64_t resident_index_bytes = 0;
  uint64_t resident_kv_bytes = 0;
  uint64_t stored_bytes = 0;
  std::vector<uint64_t> layer_entries;  // [layers]
  std::vector<uint64_t> shard_entries;  // [shards]
  std::string damage;                   // of a list: what Describe says where a part is lost
};

struct ContextPage {
  std::vector<ContextInfo> contexts;
  std::string next;  // empty at the end
};

struct IndexQuery {
  std::span<const std::byte> queries;     // [T, index_heads, query bytes]
  std::span<const std::byte> weights;     // [T, index_heads] fp32
  std::vector<uint64_t> visible_entries;  // [T]
  uint32_t top_k = 0;                     // 0: the profile's
};

using SelectionSource = std::variant<IndexQuery, uint64_t>;  // a new one, or an earlier one's id

struct Query {
  ContextName context;
  uint32_t layer = 0;
  SelectionSource source;
};

struct AttendQuery : Query {
  std::span<const std::byte> queries;  // [T, query_heads, latent_dim + rope_dim] bf16
  std::span<const std::byte> sink;     // [query_heads] fp32, or empty
  AttendPath path = AttendPath::kAuto;
  bool return_selection = false;
};

// Field for field the proto's CallStats.
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
  uint64_t selection_id = 0;
  uint32_t top_k = 0;  // width that the rows are padded to on the wire
  std::vector<std::vector<kernels::Candidate>> rows;  // [T], each best first
};

struct SelectReply {
  Selection selection;
  CallStats stats;
};

struct GatherReply {
  Selection selection;
  size_t row_bytes = 0;
  std::string kv_rows;  // [T, top_k, row_bytes], zero past a row's end
  CallStats stats;
};

struct AttendReply {
  std::vector<float> outputs;  // [T, query_heads, latent_dim]
  std::vector<float> lse;      // [T, query_heads], the sink not included
  Selection selection;         // rows only if asked for
  uint32_t query_rows = 0;     // T
  CallStats stats;
};

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_REQUESTS_H_
