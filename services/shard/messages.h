#ifndef WINNOW_SERVICES_SHARD_MESSAGES_H_
#define WINNOW_SERVICES_SHARD_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "kernels/candidate.h"
#include "services/shard/operator_messages.h"
#include "services/shard/results.h"
#include "storage/context_record.h"
#include "storage/profile.h"
#include "storage/stripe.h"

// What a coordinator asks of a shard, in native types; proto/winnow/v1/shard.proto is the same on
// the wire and documents each field. Spans in a call are borrowed until Shard::Handle returns.
// An incarnation is what the shard's ContextState says of its part of the context: never 0, and not
// what it says of another context of that id, before or after.
namespace winnow::shard {

struct Ping {};

struct CreateContext {
  std::string context_id;
  std::string tenant;
  std::shared_ptr<const Profile> profile;
  uint64_t placement_key = 0;
  Durability durability = Durability::kDefault;
  absl::Time expires_at = absl::InfiniteFuture();
  // A context of that id whose lease ends by then is gone already: another one takes its place.
  absl::Time stale_before = absl::InfinitePast();
};

struct ForkContext {
  std::string context_id;
  std::string parent_context_id;
  uint64_t incarnation = 0;  // the parent's
  uint64_t entries = 0;
  absl::Time expires_at = absl::InfiniteFuture();
  absl::Time stale_before = absl::InfinitePast();  // as in CreateContext
};

struct SealContext {
  std::string context_id;
  uint64_t incarnation = 0;
};

struct DeleteContext {
  std::string context_id;
  uint64_t incarnation = 0;
  bool any_incarnation = false;
};

struct RenewLease {
  std::string context_id;
  uint64_t incarnation = 0;
  absl::Time expires_at = absl::InfiniteFuture();
};

// Until then the context stays in memory; InfinitePast unpins it.
struct PinContext {
  std::string context_id;
  uint64_t incarnation = 0;
  absl::Time until = absl::InfiniteFuture();
};

struct ListContexts {
  std::string tenant;  // whose ids begin with <tenant>/
  std::string after;   // an id
  uint32_t limit = 0;
};

struct Describe {
  std::string context_id;
};

struct Append {
  std::string context_id;
  uint64_t incarnation = 0;
  uint32_t stripe = 0;
  uint32_t offset = 0;
  uint32_t count = 0;
  std::vector<LayerBytes> layers;
  bool check_only = false;
  bool compare_only = false;
};

struct Select {
  std::string context_id;
  uint64_t incarnation = 0;
  uint32_t layer = 0;
  std::span<const std::byte> queries;     // [T, index_heads, query bytes]
  std::span<const std::byte> weights;     // [T, index_heads] fp32
  std::vector<uint32_t> visible_entries;  // [T]
  uint32_t top_k = 0;
  std::vector<uint32_t> stripes;
  uint64_t selection_id = 0;
};

enum class AttendPath { kAuto = 0, kGather = 1, kPushDown = 2 };

struct Attend {
  uint64_t selection_id = 0;
  std::string context_id;
  uint64_t incarnation = 0;
  uint32_t layer = 0;
  std::vector<kernels::Candidate> thresholds;  // [T], or empty if the winners are already fixed
  AttendPath path = AttendPath::kAuto;         // kAuto: only fix and list the winners
  std::span<const std::byte> queries;  // push-down: [T, query_heads, latent_dim + rope_dim] bf16
  bool return_positions = false;
};

using Call = std::variant<Ping, CreateContext, ForkContext, SealContext, DeleteContext,
                          ListContexts, Describe, Append, Select, Attend, RenewLease, PinContext,
                          Tier, SaveSnapshot, LoadSnapshot, ListTenants, ListSnapshots>;

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_MESSAGES_H_
