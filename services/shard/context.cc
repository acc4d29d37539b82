#include "services/shard/context.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow::shard {
namespace {

// Positions stay below 2^31, so that a selection can travel as int32.
constexpr uint32_t kMaxStripes = (uint32_t{1} << 31) / kStripeEntries;

}  // namespace

Context::Context(const CreateContext& call, PageArena* arena, PageMirror* mirror,
                 std::optional<Origin> origin)
    : id_(call.context_id),
      tenant_(call.tenant),
      profile_(call.profile),
      placement_key_(call.placement_key),
      tag_(ContextTag(call.placement_key, Fingerprint(*call.profile))),
      arena_(arena),
      mirror_(mirror),
      origin_(std::move(origin)) {}

absl::Status Context::CheckTag(uint64_t tag) const {
  if (tag == tag_) return absl::OkStatus();
  return Error(
      absl::StatusCode::kFailedPrecondition, "STALE_CONTEXT",
      absl::StrCat("context ", id_, " has been made anew with another profile or placement"));
}

absl::Status Context::CheckLayer(const LayerBytes& layer, uint32_t count) const {
  if (layer.layer < 0 || static_cast<size_t>(layer.layer) >= profile_->layers.size() ||
      !profile_->stores(layer.layer)) {
    return InvalidField("layer", absl::StrCat(layer.layer),
                        absl::StrCat("a stored one of the profile's ", profile_->layers.size()));
  }
  const size_t key_bytes = profile_->has_index(layer.layer) ? profile_->key_bytes() : 0;
  if (layer.index_keys.size() != count * key_bytes) {
    return InvalidField("index_keys", absl::StrCat(layer.index_keys.size(), " bytes"),
                        absl::StrCat(count * key_bytes, " bytes: ", count, " of ", key_bytes));
  }
  if (layer.kv_rows.size() != count * profile_->row_bytes()) {
    return InvalidField("kv_rows", absl::StrCat(layer.kv_rows.size(), " bytes"),
                        absl::StrCat(count * profile_->row_bytes(), " bytes: ", count, " of ",
                                     profile_->row_bytes()));
  }
  return absl::OkStatus();
}

absl::Status Context::CheckAppend(const shard::Append& call) const {
  if (call.stripe >= kMaxStripes) {
    return InvalidField("stripe", absl::StrCat(call.stripe), absl::StrCat("below ", kMaxStripes));
  }
  if (call.offset > kStripeEntries || call.count > kStripeEntries - call.offset ||
      (call.count == 0 && !call.check_only)) {
    return InvalidField(
        "offset and count", absl::StrCat(call.offset, " and ", call.count),
        absl::StrCat("at most ", kStripeEntries, " together, with a count of 1 up"));
  }
  for (size_t i = 0; i < call.layers.size(); ++i) {
    const LayerBytes& layer = call.layers[i];
    if (absl::Status status = CheckLayer(layer, call.check_only ? 0 : call.count); !status.ok()) {
      return status;
    }
    for (size_t j = 0; j < i; ++j) {
      if (call.layers[j].layer == layer.layer) {
        return InvalidField("layers", absl::StrCat("layer ", layer.layer, " twice"),
                            "each layer at most once");
      }
    }
  }
  return absl::OkStatus();
}

std::shared_ptr<const Stripe> Context::FindStripe(uint32_t stripe) const {
  absl::MutexLock lock(&mu_);
  const auto it = stripes_.find(stripe);
  return it == stripes_.end() ? nullptr : it->second;
}

std::shared_ptr<Stripe> Context::FindOrAddStripe(uint32_t stripe) {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<Stripe>& held = stripes_[stripe];
  if (held == nullptr) held = std::make_shared<Stripe>(profile_, arena_, mirror_);
  return held;
}

absl::Status Context::CheckHeld(const shard::Append& call) const {
  const std::shared_ptr<const Stripe> stripe = FindStripe(call.stripe);
  for (const LayerBytes& layer : call.layers) {
    const uint32_t held = stripe == nullptr ? 0 : stripe->entries(layer.layer);
    if (held < call.offset) {
      return Error(absl::StatusCode::kOutOfRange, "APPEND_GAP",
                   absl::StrCat("layer ", layer.layer, " has ", held, " entries in stripe ",
                                call.stripe, ", not ", call.offset),
                   {{"entries", absl::StrCat(held)}, {"layer", absl::StrCat(layer.layer)}});
    }
  }
  return absl::OkStatus();
}

absl::Status Context::CheckNotSealed() const {
  absl::MutexLock lock(&mu_);
  if (!sealed_) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "CONTEXT_SEALED",
               absl::StrCat("context ", id_, " is sealed and takes no more entries"));
}

absl::StatusOr<AppendResult> Context::Append(const shard::Append& call) {
  if (absl::Status status = CheckAppend(call); !status.ok()) return status;
  if (absl::Status status = CheckNotSealed(); !status.ok()) return status;
  if (call.check_only) {
    if (absl::Status status = CheckHeld(call); !status.ok()) return status;
    return AppendResult{};
  }
  if (call.compare_only) {
    const std::shared_ptr<const Stripe> stripe = FindStripe(call.stripe);
    // Only what is there is compared: an absent stripe agrees with everything.
    absl::Status status = stripe == nullptr ? absl::OkStatus()
                                            : stripe->Compare(call.offset, call.count, call.layers);
    if (!status.ok()) return status;
    return AppendResult{};
  }
  // Before a stripe is added: gaps far apart must not leave one each.
  if (absl::Status status = CheckHeld(call); !status.ok()) return status;
  absl::StatusOr<uint64_t> written =
      FindOrAddStripe(call.stripe)->Append(call.offset, call.count, call.layers);
  if (!written.ok()) return written.status();
  return AppendResult{.entries_written = *written};
}

absl::StatusOr<std::shared_ptr<Context>> Context::Fork(const std::string& id,
                                                       uint64_t entries) const {
  auto fork =
      std::make_shared<Context>(CreateContext{.context_id = id,
                                              .tenant = tenant_,
                                              .profile = profile_,
                                              .placement_key = placement_key_},
                                arena_, mirror_, Origin{.parent_id = id_, .entries = entries});
  std::map<uint32_t, std::shared_ptr<Stripe>> stripes;
  {
    absl::MutexLock lock(&mu_);
    stripes = stripes_;
  }
  absl::MutexLock lock(&fork->mu_);
  for (const auto& [number, stripe] : stripes) {
    const uint64_t start = uint64_t{number} * kStripeEntries;
    if (start >= entries) break;
    const auto kept = static_cast<uint32_t>(std::min<uint64_t>(kStripeEntries, entries - start));
    absl::StatusOr<std::shared_ptr<Stripe>> copy = stripe->Fork(kept);
    if (!copy.ok()) return copy.status();
    fork->stripes_[number] = *std::move(copy);
  }
  return fork;
}

void Context::Seal() {
  absl::MutexLock lock(&mu_);
  sealed_ = true;
}

ContextState Context::Describe() const {
  const size_t layers = profile_->layers.size();
  ContextState state{.context_id = id_,
                     .tenant = tenant_,
                     .profile = profile_,
                     .placement_key = placement_key_,
                     .layer_entries = std::vector<uint64_t>(layers),
                     .layer_ends = std::vector<uint64_t>(layers)};
  absl::MutexLock lock(&mu_);
  state.sealed = sealed_;
  for (const auto& [number, stripe] : stripes_) {
    for (size_t i = 0; i < layers; ++i) {
      const auto layer = static_cast<int>(i);
      const uint64_t held = stripe->entries(layer);
      if (held == 0) continue;
      state.layer_entries[i] += held;
      state.layer_ends[i] = uint64_t{number} * kStripeEntries + held;
      state.kv_bytes += held * profile_->row_bytes();
      if (profile_->has_index(layer)) state.index_bytes += held * profile_->key_bytes();
    }
  }
  return state;
}

}  // namespace winnow::shard
