#include "services/shard/context.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/failpoint.h"

namespace winnow::shard {
namespace {

// Ascending, as those of a store are; where they begin no process before is likely to have been.
uint64_t NextNumber() {
  static std::atomic<uint64_t> next = [] {
    absl::BitGen random;
    return absl::Uniform<uint64_t>(random, 1, uint64_t{1} << 63);
  }();
  return next++;
}

// With a number, where no store gives it one.
std::shared_ptr<ContextStorage> Numbered(ContextStorage storage) {
  if (storage.store == nullptr) storage.record.number = NextNumber();
  return std::make_shared<ContextStorage>(std::move(storage));
}

}  // namespace

Context::Context(ContextStorage storage, const std::vector<StoredStripe>& stripes)
    : storage_(Numbered(std::move(storage))),
      last_used_us_(absl::ToUnixMicros(absl::Now())),
      record_(storage_->record) {
  absl::MutexLock lock(&mu_);
  for (const StoredStripe& stored : stripes) {
    stripes_[stored.stripe] = std::make_shared<Stripe>(storage_, stored);
  }
}

absl::StatusOr<std::shared_ptr<Context>> Context::Create(ContextStorage storage) {
  if (storage.store != nullptr) {
    absl::Status status = storage.store->AddContext(&storage.record);
    if (!status.ok()) return status;
  }
  return std::make_shared<Context>(std::move(storage), std::vector<StoredStripe>{});
}

bool Context::IsLike(const ContextRecord& record) const {
  const ContextRecord& own = storage_->record;
  return own.placement_key == record.placement_key && own.profile == record.profile &&
         own.tenant == record.tenant && own.origin == record.origin;
}

absl::Status Context::CheckLayer(const LayerBytes& layer, uint32_t count) const {
  if (layer.layer < 0 || static_cast<size_t>(layer.layer) >= profile().layers.size() ||
      !profile().stores(layer.layer)) {
    return InvalidField("layer", absl::StrCat(layer.layer),
                        absl::StrCat("a stored one of the profile's ", profile().layers.size()));
  }
  const size_t key_bytes = profile().has_index(layer.layer) ? profile().key_bytes() : 0;
  if (layer.index_keys.size() != count * key_bytes) {
    return InvalidField("index_keys", absl::StrCat(layer.index_keys.size(), " bytes"),
                        absl::StrCat(count * key_bytes, " bytes: ", count, " of ", key_bytes));
  }
  if (layer.kv_rows.size() != count * profile().row_bytes()) {
    return InvalidField("kv_rows", absl::StrCat(layer.kv_rows.size(), " bytes"),
                        absl::StrCat(count * profile().row_bytes(), " bytes: ", count, " of ",
                                     profile().row_bytes()));
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
  if (held == nullptr) held = std::make_shared<Stripe>(storage_, stripe);
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
  if (!record_.sealed) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "CONTEXT_SEALED",
               absl::StrCat("context ", id(), " is sealed and takes no more entries"));
}

absl::StatusOr<AppendResult> Context::Append(const shard::Append& call, absl::Time deadline) {
  if (absl::Status status = CheckAppend(call); !status.ok()) return status;
  // Nothing may be stored once the record is gone: nobody would free it.
  absl::ReaderMutexLock lock(&update_mu_);
  if (absl::Status status = CheckNotRemoved(); !status.ok()) return status;
  if (absl::Status status = CheckNotSealed(); !status.ok()) return status;
  if (call.check_only) {
    if (absl::Status status = CheckHeld(call); !status.ok()) return status;
    return AppendResult{};
  }
  if (call.compare_only) {
    const std::shared_ptr<const Stripe> stripe = FindStripe(call.stripe);
    // Only what is there is compared: an absent stripe agrees with everything.
    absl::Status status = stripe == nullptr
                              ? absl::OkStatus()
                              : stripe->Compare(call.offset, call.count, call.layers, deadline);
    if (!status.ok()) return status;
    return AppendResult{};
  }
  // Before a stripe is added: gaps far apart must not leave one each.
  if (absl::Status status = CheckHeld(call); !status.ok()) return status;
  absl::StatusOr<uint64_t> written =
      FindOrAddStripe(call.stripe)->Append(call.offset, call.count, call.layers, deadline);
  if (!written.ok()) return written.status();
  return AppendResult{.entries_written = *written};
}

ContextRecord Context::ForkRecord(const ForkContext& call) const {
  ContextRecord fork = record();
  fork.context_id = call.context_id;
  fork.sealed = false;
  fork.pinned_until = absl::InfinitePast();
  fork.expires_at = call.expires_at;
  fork.origin = ForkOrigin{.parent_id = id(), .entries = call.entries};
  return fork;
}

absl::StatusOr<std::shared_ptr<Context>> Context::Fork(const ForkContext& call) const {
  ContextStorage storage = *storage_;
  storage.record = ForkRecord(call);
  auto fork = std::make_shared<Context>(std::move(storage), std::vector<StoredStripe>{});
  std::vector<StoredStripe> stored;
  {
    absl::MutexLock lock(&fork->mu_);
    for (const std::shared_ptr<Stripe>& stripe : Stripes(0, kMaxStripes)) {
      const uint64_t start = uint64_t{stripe->number()} * kStripeEntries;
      if (start >= call.entries) break;
      const auto kept =
          static_cast<uint32_t>(std::min<uint64_t>(kStripeEntries, call.entries - start));
      absl::StatusOr<std::shared_ptr<Stripe>> copy = stripe->Fork(fork->storage_, kept);
      if (!copy.ok()) return copy.status();
      stored.push_back((*copy)->stored());
      fork->stripes_[stripe->number()] = *std::move(copy);
    }
  }
  Failpoint("fork.copied");
  if (store() == nullptr) return fork;
  ContextRecord& record = fork->storage_->record;
  if (absl::Status status = store()->AddContext(&record, stored); !status.ok()) return status;
  absl::MutexLock lock(&fork->mu_);
  fork->record_.number = record.number;
  return fork;
}

void Context::Touch() {
  last_used_us_.store(absl::ToUnixMicros(absl::Now()), std::memory_order_relaxed);
}

absl::Time Context::last_used() const {
  return absl::FromUnixMicros(last_used_us_.load(std::memory_order_relaxed));
}

ContextSize Context::Size() const {
  ContextSize size;
  const int layers = static_cast<int>(profile().layers.size());
  for (const std::shared_ptr<Stripe>& stripe : Stripes(0, kMaxStripes)) {
    for (int layer = 0; layer < layers; ++layer) size.entries += stripe->entries(layer);
    size.index_bytes += stripe->bytes(Plane::kIndex);
    size.kv_bytes += stripe->bytes(Plane::kKv);
  }
  return size;
}

ContextState Context::Describe() const {
  const size_t layers = profile().layers.size();
  const ContextRecord record = this->record();
  ContextState state{.context_id = record.context_id,
                     .tenant = record.tenant,
                     .profile = storage_->profile,
                     .placement_key = record.placement_key,
                     .incarnation = incarnation(),
                     .durability = record.durability,
                     .sealed = record.sealed,
                     .pinned_until = record.pinned_until,
                     .expires_at = record.expires_at,
                     .layer_entries = std::vector<uint64_t>(layers),
                     .layer_ends = std::vector<uint64_t>(layers)};
  for (const std::shared_ptr<Stripe>& stripe : Stripes(0, kMaxStripes)) {
    for (size_t i = 0; i < layers; ++i) {
      const uint64_t held = stripe->entries(static_cast<int>(i));
      if (held == 0) continue;
      state.layer_entries[i] += held;
      state.layer_ends[i] = uint64_t{stripe->number()} * kStripeEntries + held;
    }
    state.index_bytes += stripe->bytes(Plane::kIndex);
    state.kv_bytes += stripe->bytes(Plane::kKv);
    state.resident_index_bytes += stripe->resident_bytes(Plane::kIndex);
    state.resident_kv_bytes += stripe->resident_bytes(Plane::kKv);
    state.stored_bytes += stripe->stored_bytes(Plane::kIndex) + stripe->stored_bytes(Plane::kKv);
  }
  return state;
}

}  // namespace winnow::shard
