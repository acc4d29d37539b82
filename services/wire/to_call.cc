#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/wire/bytes.h"
#include "services/wire/fields.h"
#include "services/wire/profile.h"
#include "services/wire/shard_messages.h"
#include "storage/error.h"

namespace winnow::wire {
namespace {

using kernels::Candidate;

// A coordinator adds the shard's own folder to the directory that it was given.
constexpr size_t kMaxShardDirectoryBytes = kMaxDirectoryBytes + 64;

// 0, as from coordinators that do not know the field, is before all.
absl::StatusOr<absl::Time> ToStaleBefore(uint64_t stale_before_us) {
  if (stale_before_us == 0) return absl::InfinitePast();
  return ToExpiry(stale_before_us, "stale_before_us");
}

absl::StatusOr<shard::Call> Read(const v1::ShardCreateContext& message) {
  absl::StatusOr<Profile> profile = ToProfile(message.profile());
  if (!profile.ok()) return profile.status();
  absl::StatusOr<Durability> durability = ToDurability(message.durability());
  if (!durability.ok()) return durability.status();
  absl::StatusOr<absl::Time> expires_at = ToExpiry(message.expires_at_us());
  if (!expires_at.ok()) return expires_at.status();
  absl::StatusOr<absl::Time> stale_before = ToStaleBefore(message.stale_before_us());
  if (!stale_before.ok()) return stale_before.status();
  return shard::CreateContext{.context_id = message.context_id(),
                              .tenant = message.tenant(),
                              .profile = std::make_shared<const Profile>(*std::move(profile)),
                              .placement_key = message.placement_key(),
                              .durability = *durability,
                              .expires_at = *expires_at,
                              .stale_before = *stale_before};
}

absl::StatusOr<shard::Call> Read(const v1::ShardForkContext& message) {
  absl::StatusOr<absl::Time> expires_at = ToExpiry(message.expires_at_us());
  if (!expires_at.ok()) return expires_at.status();
  absl::StatusOr<absl::Time> stale_before = ToStaleBefore(message.stale_before_us());
  if (!stale_before.ok()) return stale_before.status();
  return shard::ForkContext{.context_id = message.context_id(),
                            .parent_context_id = message.parent_context_id(),
                            .incarnation = message.incarnation(),
                            .entries = message.entries(),
                            .expires_at = *expires_at,
                            .stale_before = *stale_before};
}

absl::StatusOr<shard::Call> Read(const v1::ShardRenewLease& message) {
  absl::StatusOr<absl::Time> expires_at = ToExpiry(message.expires_at_us());
  if (!expires_at.ok()) return expires_at.status();
  return shard::RenewLease{.context_id = message.context_id(),
                           .incarnation = message.incarnation(),
                           .expires_at = *expires_at};
}

absl::StatusOr<shard::Call> Read(const v1::ShardPinContext& message) {
  absl::StatusOr<absl::Time> until = ToPin(message);
  if (!until.ok()) return until.status();
  return shard::PinContext{
      .context_id = message.context_id(), .incarnation = message.incarnation(), .until = *until};
}

absl::StatusOr<shard::Call> Read(const v1::ShardTier& message) {
  if (!v1::TierAction_IsValid(message.action()) ||
      message.action() == v1::TIER_ACTION_UNSPECIFIED) {
    return InvalidField("action", absl::StrCat(static_cast<int>(message.action())),
                        "SPILL (1), RESTORE (2) or VERIFY (3)");
  }
  if (!message.index() && !message.kv()) {
    return InvalidField("index", "false, as kv is", "true for at least one plane");
  }
  absl::Status status = CheckStripes(message.first_stripe(), message.stripes(), 1);
  if (!status.ok()) return status;
  return shard::Tier{
      .action = static_cast<shard::TierAction>(message.action() - v1::TIER_ACTION_SPILL),
      .context_id = message.context_id(),
      .incarnation = message.incarnation(),
      .index = message.index(),
      .kv = message.kv(),
      .first_stripe = message.first_stripe(),
      .stripes = message.stripes()};
}

// For ShardSaveSnapshot and ShardLoadSnapshot.
template <typename Message>
absl::Status CheckRange(const Message& message, uint32_t min_stripes) {
  absl::Status status = CheckDirectory(message.directory(), kMaxShardDirectoryBytes);
  return status.ok() ? CheckStripes(message.first_stripe(), message.stripes(), min_stripes)
                     : status;
}

absl::StatusOr<shard::Call> Read(const v1::ShardSaveSnapshot& message) {
  absl::Status status = CheckRange(message, message.finish() ? 0 : 1);
  if (!status.ok()) return status;
  return shard::SaveSnapshot{.context_id = message.context_id(),
                             .incarnation = message.incarnation(),
                             .directory = message.directory(),
                             .first_stripe = message.first_stripe(),
                             .stripes = message.stripes(),
                             .entries = message.entries(),
                             .shards = message.shards(),
                             .finish = message.finish()};
}

absl::StatusOr<shard::Call> Read(const v1::ShardLoadSnapshot& message) {
  if (absl::Status status = CheckRange(message, 1); !status.ok()) return status;
  return shard::LoadSnapshot{.context_id = message.context_id(),
                             .incarnation = message.incarnation(),
                             .tenant = message.tenant(),
                             .shards = message.shards(),
                             .directory = message.directory(),
                             .first_stripe = message.first_stripe(),
                             .stripes = message.stripes()};
}

shard::Call Read(const v1::ShardAppend& message) {
  shard::Append call;
  call.context_id = message.context_id();
  call.incarnation = message.incarnation();
  call.stripe = message.stripe();
  call.offset = message.offset();
  call.count = message.count();
  call.check_only = message.check_only();
  call.compare_only = message.compare_only();
  for (const v1::ShardLayerEntries& layer : message.layers()) {
    call.layers.push_back({.layer = static_cast<int>(layer.layer()),
                           .index_keys = AsSpan(layer.index_keys()),
                           .kv_rows = AsSpan(layer.kv_rows())});
  }
  return call;
}

absl::StatusOr<shard::Call> Read(const v1::ShardListSnapshots& message) {
  if (absl::Status status = CheckDirectory(message.directory()); !status.ok()) return status;
  if (message.part().empty() ||
      message.part().find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
    return InvalidField("part", absl::StrCat("'", message.part(), "'"), "the name of a directory");
  }
  return shard::ListSnapshots{.directory = message.directory(), .part = message.part()};
}

shard::Call Read(const v1::ShardSelect& message) {
  shard::Select call;
  call.context_id = message.context_id();
  call.incarnation = message.incarnation();
  call.layer = message.layer();
  call.queries = AsSpan(message.queries());
  call.weights = AsSpan(message.weights());
  call.visible_entries.assign(message.visible_entries().begin(), message.visible_entries().end());
  call.top_k = message.top_k();
  call.stripes.assign(message.stripes().begin(), message.stripes().end());
  call.selection_id = message.selection_id();
  return call;
}

absl::StatusOr<shard::Call> Read(const v1::ShardAttend& message) {
  if (message.thresholds().size() % sizeof(Candidate) != 0) {
    return InvalidField("thresholds", absl::StrCat(message.thresholds().size(), " bytes"),
                        "a multiple of 8 bytes");
  }
  if (!v1::AttendPath_IsValid(message.path())) {
    return InvalidField("path", absl::StrCat(message.path()),
                        "AUTO (0), GATHER (1) or PUSH_DOWN (2)");
  }
  shard::Attend call;
  call.selection_id = message.selection_id();
  call.context_id = message.context_id();
  call.incarnation = message.incarnation();
  call.layer = message.layer();
  call.thresholds.resize(message.thresholds().size() / sizeof(Candidate));
  // memcpy takes no null, not even for nothing.
  if (!call.thresholds.empty()) {
    std::memcpy(call.thresholds.data(), message.thresholds().data(), message.thresholds().size());
  }
  call.path = static_cast<shard::AttendPath>(message.path());
  call.queries = AsSpan(message.queries());
  call.return_positions = message.return_positions();
  return call;
}

}  // namespace

absl::StatusOr<shard::Call> ToCall(const v1::ShardRequest& message) {
  switch (message.call_case()) {
    case v1::ShardRequest::kPing:
      return shard::Ping{};
    case v1::ShardRequest::kCreateContext:
      return Read(message.create_context());
    case v1::ShardRequest::kForkContext:
      return Read(message.fork_context());
    case v1::ShardRequest::kSealContext:
      return shard::SealContext{.context_id = message.seal_context().context_id(),
                                .incarnation = message.seal_context().incarnation()};
    case v1::ShardRequest::kDeleteContext:
      return shard::DeleteContext{.context_id = message.delete_context().context_id(),
                                  .incarnation = message.delete_context().incarnation(),
                                  .any_incarnation = message.delete_context().any_incarnation()};
    case v1::ShardRequest::kListContexts:
      return shard::ListContexts{.tenant = message.list_contexts().tenant(),
                                 .after = message.list_contexts().after(),
                                 .limit = message.list_contexts().limit()};
    case v1::ShardRequest::kDescribe:
      return shard::Describe{.context_id = message.describe().context_id()};
    case v1::ShardRequest::kAppend:
      return Read(message.append());
    case v1::ShardRequest::kSelect:
      return Read(message.select());
    case v1::ShardRequest::kAttend:
      return Read(message.attend());
    case v1::ShardRequest::kRenewLease:
      return Read(message.renew_lease());
    case v1::ShardRequest::kPinContext:
      return Read(message.pin_context());
    case v1::ShardRequest::kTier:
      return Read(message.tier());
    case v1::ShardRequest::kSaveSnapshot:
      return Read(message.save_snapshot());
    case v1::ShardRequest::kLoadSnapshot:
      return Read(message.load_snapshot());
    case v1::ShardRequest::kListTenants:
      return shard::ListTenants{};
    case v1::ShardRequest::kListSnapshots:
      return Read(message.list_snapshots());
    case v1::ShardRequest::CALL_NOT_SET:
      break;
  }
  return InvalidField("call", "absent", "one of the calls of ShardRequest");
}

}  // namespace winnow::wire
