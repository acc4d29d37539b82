#include "services/wire/bytes.h"
#include "services/wire/fields.h"
#include "services/wire/profile.h"
#include "services/wire/shard_messages.h"

namespace winnow::wire {
namespace {

// One message of each call, found by overload.

void Fill(const shard::Ping&, v1::ShardRequest* request) { request->mutable_ping(); }

uint64_t FromStaleBefore(absl::Time stale_before) {
  return stale_before == absl::InfinitePast() ? 0 : FromExpiry(stale_before);
}

void Fill(const shard::CreateContext& call, v1::ShardRequest* request) {
  v1::ShardCreateContext* message = request->mutable_create_context();
  message->set_context_id(call.context_id);
  message->set_tenant(call.tenant);
  *message->mutable_profile() = FromProfile(*call.profile);
  message->set_placement_key(call.placement_key);
  message->set_durability(FromDurability(call.durability));
  message->set_expires_at_us(FromExpiry(call.expires_at));
  message->set_stale_before_us(FromStaleBefore(call.stale_before));
}

void Fill(const shard::ForkContext& call, v1::ShardRequest* request) {
  v1::ShardForkContext* message = request->mutable_fork_context();
  message->set_context_id(call.context_id);
  message->set_parent_context_id(call.parent_context_id);
  message->set_incarnation(call.incarnation);
  message->set_entries(call.entries);
  message->set_expires_at_us(FromExpiry(call.expires_at));
  message->set_stale_before_us(FromStaleBefore(call.stale_before));
}

void Fill(const shard::SealContext& call, v1::ShardRequest* request) {
  request->mutable_seal_context()->set_context_id(call.context_id);
  request->mutable_seal_context()->set_incarnation(call.incarnation);
}

void Fill(const shard::DeleteContext& call, v1::ShardRequest* request) {
  v1::ShardDeleteContext* message = request->mutable_delete_context();
  message->set_context_id(call.context_id);
  message->set_incarnation(call.incarnation);
  message->set_any_incarnation(call.any_incarnation);
}

void Fill(const shard::RenewLease& call, v1::ShardRequest* request) {
  request->mutable_renew_lease()->set_context_id(call.context_id);
  request->mutable_renew_lease()->set_incarnation(call.incarnation);
  request->mutable_renew_lease()->set_expires_at_us(FromExpiry(call.expires_at));
}

void Fill(const shard::PinContext& call, v1::ShardRequest* request) {
  request->mutable_pin_context()->set_context_id(call.context_id);
  request->mutable_pin_context()->set_incarnation(call.incarnation);
  SetPin(call.until, request->mutable_pin_context());
}

// The proto's numbers leave 0 for what is not said.
v1::TierAction FromAction(shard::TierAction action) {
  return static_cast<v1::TierAction>(static_cast<int>(action) + v1::TIER_ACTION_SPILL);
}

void Fill(const shard::Tier& call, v1::ShardRequest* request) {
  v1::ShardTier* message = request->mutable_tier();
  message->set_action(FromAction(call.action));
  message->set_context_id(call.context_id);
  message->set_incarnation(call.incarnation);
  message->set_index(call.index);
  message->set_kv(call.kv);
  message->set_first_stripe(call.first_stripe);
  message->set_stripes(call.stripes);
}

void Fill(const shard::SaveSnapshot& call, v1::ShardRequest* request) {
  v1::ShardSaveSnapshot* message = request->mutable_save_snapshot();
  message->set_context_id(call.context_id);
  message->set_incarnation(call.incarnation);
  message->set_directory(call.directory);
  message->set_first_stripe(call.first_stripe);
  message->set_stripes(call.stripes);
  message->set_entries(call.entries);
  message->set_shards(call.shards);
  message->set_finish(call.finish);
}

void Fill(const shard::LoadSnapshot& call, v1::ShardRequest* request) {
  v1::ShardLoadSnapshot* message = request->mutable_load_snapshot();
  message->set_context_id(call.context_id);
  message->set_incarnation(call.incarnation);
  message->set_tenant(call.tenant);
  message->set_shards(call.shards);
  message->set_directory(call.directory);
  message->set_first_stripe(call.first_stripe);
  message->set_stripes(call.stripes);
}

void Fill(const shard::ListTenants&, v1::ShardRequest* request) { request->mutable_list_tenants(); }

void Fill(const shard::ListSnapshots& call, v1::ShardRequest* request) {
  request->mutable_list_snapshots()->set_directory(call.directory);
  request->mutable_list_snapshots()->set_part(call.part);
}

void Fill(const shard::ListContexts& call, v1::ShardRequest* request) {
  v1::ShardListContexts* message = request->mutable_list_contexts();
  message->set_tenant(call.tenant);
  message->set_after(call.after);
  message->set_limit(call.limit);
}

void Fill(const shard::Describe& call, v1::ShardRequest* request) {
  request->mutable_describe()->set_context_id(call.context_id);
}

void Fill(const shard::Append& call, v1::ShardRequest* request) {
  v1::ShardAppend* message = request->mutable_append();
  message->set_context_id(call.context_id);
  message->set_incarnation(call.incarnation);
  message->set_stripe(call.stripe);
  message->set_offset(call.offset);
  message->set_count(call.count);
  message->set_check_only(call.check_only);
  message->set_compare_only(call.compare_only);
  for (const LayerBytes& layer : call.layers) {
    v1::ShardLayerEntries* entries = message->add_layers();
    entries->set_layer(static_cast<uint32_t>(layer.layer));
    SetBytes(layer.index_keys, entries->mutable_index_keys());
    SetBytes(layer.kv_rows, entries->mutable_kv_rows());
  }
}

void Fill(const shard::Select& call, v1::ShardRequest* request) {
  v1::ShardSelect* message = request->mutable_select();
  message->set_context_id(call.context_id);
  message->set_incarnation(call.incarnation);
  message->set_layer(call.layer);
  SetBytes(call.queries, message->mutable_queries());
  SetBytes(call.weights, message->mutable_weights());
  message->mutable_visible_entries()->Assign(call.visible_entries.begin(),
                                             call.visible_entries.end());
  message->set_top_k(call.top_k);
  message->mutable_stripes()->Assign(call.stripes.begin(), call.stripes.end());
  message->set_selection_id(call.selection_id);
}

void Fill(const shard::Attend& call, v1::ShardRequest* request) {
  v1::ShardAttend* message = request->mutable_attend();
  message->set_selection_id(call.selection_id);
  message->set_context_id(call.context_id);
  message->set_incarnation(call.incarnation);
  message->set_layer(call.layer);
  SetBytes<kernels::Candidate>(call.thresholds, message->mutable_thresholds());
  message->set_path(static_cast<v1::AttendPath>(call.path));
  SetBytes(call.queries, message->mutable_queries());
  message->set_return_positions(call.return_positions);
}

}  // namespace

void FromCall(const shard::Call& call, v1::ShardRequest* message) {
  std::visit([message](const auto& alternative) { Fill(alternative, message); }, call);
}

}  // namespace winnow::wire
