#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/shard/context.h"
#include "storage/entry_store.h"
#include "storage/error.h"

namespace winnow::shard {

ContextRecord Context::record() const {
  absl::MutexLock lock(&mu_);
  return record_;
}

bool Context::expired() const {
  absl::MutexLock lock(&mu_);
  return record_.expires_at <= absl::Now();
}

bool Context::pinned() const {
  absl::MutexLock lock(&mu_);
  return record_.pinned_until > absl::Now();
}

absl::Status Context::CheckNotRemoved() const {
  if (!removed_) return absl::OkStatus();
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT",
               absl::StrCat("there is no context ", id()));
}

absl::Status Context::Update(const std::function<void(ContextRecord*)>& change) {
  absl::MutexLock update(&update_mu_);
  // One that was removed meanwhile must not come back.
  if (absl::Status status = CheckNotRemoved(); !status.ok()) return status;
  ContextRecord next = record();
  change(&next);
  if (store() != nullptr && next.durability != Durability::kMemory) {
    if (absl::Status status = store()->UpdateContext(next); !status.ok()) return status;
  }
  absl::MutexLock lock(&mu_);
  record_ = std::move(next);
  return absl::OkStatus();
}

absl::Status Context::Seal() {
  return Update([](ContextRecord* record) { record->sealed = true; });
}

absl::Status Context::Renew(absl::Time expires_at) {
  return Update([expires_at](ContextRecord* record) { record->expires_at = expires_at; });
}

absl::Status Context::Pin(absl::Time until) {
  return Update([until](ContextRecord* record) { record->pinned_until = until; });
}

absl::Status Context::Remove() {
  absl::MutexLock update(&update_mu_);
  return RemoveOnce();
}

absl::StatusOr<bool> Context::RemoveIfOver(absl::Time by) {
  // Of one that lives on nobody need wait for an append to it.
  if (record().expires_at > by) return removed();
  absl::MutexLock update(&update_mu_);
  if (record().expires_at > by) return false;
  if (absl::Status status = RemoveOnce(); !status.ok()) return status;
  return true;
}

absl::Status Context::RemoveOnce() {
  if (removed_) return absl::OkStatus();
  if (store() != nullptr) {
    if (absl::Status status = store()->RemoveContext(record()); !status.ok()) return status;
  }
  removed_ = true;
  return absl::OkStatus();
}

}  // namespace winnow::shard
