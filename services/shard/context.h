#ifndef WINNOW_SERVICES_SHARD_CONTEXT_H_
#define WINNOW_SERVICES_SHARD_CONTEXT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/shard/messages.h"
#include "storage/stripe.h"

namespace winnow::shard {

struct ContextSize {
  uint64_t entries = 0;
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
};

// What one shard holds of a context. Thread-safe; scoring and attention hold no lock, since they
// hold on to the pages they were given.
class Context {
 public:
  // Keeps the record in the store, if there is one, and gives it its number.
  static absl::StatusOr<std::shared_ptr<Context>> Create(ContextStorage storage);
  // A context of that id with the first `entries` entries of this one, likewise.
  ContextRecord ForkRecord(const ForkContext& call) const;
  absl::StatusOr<std::shared_ptr<Context>> Fork(const ForkContext& call) const;
  // As it was found in the store; all of it is cold.
  Context(ContextStorage storage, const std::vector<StoredStripe>& stripes);

  // Checks the call against the profile, then appends; see the messages for errors.
  absl::StatusOr<AppendResult> Append(const shard::Append& call,
                                      absl::Time deadline = absl::InfiniteFuture());

  // NOT_FOUND UNKNOWN_CONTEXT if it was removed meanwhile, as all that changes it.
  absl::Status Seal();
  absl::Status Renew(absl::Time expires_at);
  absl::Status Pin(absl::Time until);
  // Forgets what the store keeps, once.
  absl::Status Remove();
  // The same if its time is over by then, and nothing if it was renewed. Returns whether it is
  // removed.
  absl::StatusOr<bool> RemoveIfOver(absl::Time by);
  ContextState Describe() const;
  // Entries of all layers, and their bytes. Takes no stripe's locks, as it is asked for all
  // contexts at once.
  ContextSize Size() const;

  // Null if nothing of the stripe is held.
  std::shared_ptr<const Stripe> FindStripe(uint32_t stripe) const;

  // Spills, restores or verifies the call's stripes one after the other. A spill that leaves out
  // what is damaged says so in the result.
  using RestoreFn = std::function<absl::Status(Stripe& stripe, Plane plane)>;
  absl::StatusOr<TierResult> Apply(const Tier& call, absl::Time deadline, const RestoreFn& restore);
  // Spills pages of the plane, the first stripes first, until those of `bytes` of entries are free.
  // Returns how many are, and damage, as Stripe::Spill.
  absl::StatusOr<uint64_t> Spill(Plane plane, uint64_t bytes, absl::Time deadline,
                                 std::vector<std::string>* damaged);
  uint64_t resident_bytes(Plane plane) const;
  // Lets go of copies of the plane's pages on the device, the first stripes first, until those of
  // `bytes` of pages are gone. Returns how many are, as Stripe::DropCopies.
  uint64_t DropCopies(Plane plane, uint64_t bytes);
  // Bytes of pages with such a copy.
  uint64_t mirrored_bytes(Plane plane) const;
  // Those with numbers in [first, first + count).
  std::vector<std::shared_ptr<Stripe>> Stripes(uint32_t first, uint32_t count) const;
  // The first one with that number or a higher one; null if there is none, or once the context was
  // removed. For walks that take their time, and must not keep what was deleted meanwhile.
  std::shared_ptr<Stripe> StripeFrom(uint32_t number) const;

  // For the choice of what is spilled first.
  void Touch();
  absl::Time last_used() const;

  ContextRecord record() const;
  const Profile& profile() const { return *storage_->profile; }
  EntryStore* store() const { return storage_->store; }
  const std::string& id() const { return storage_->record.context_id; }
  const std::string& tenant() const { return storage_->record.tenant; }
  // See messages.h; constant once the context is shared.
  uint64_t incarnation() const { return storage_->record.number; }

  // Whether it was made of such a record.
  bool IsLike(const ContextRecord& record) const;
  bool removed() const { return removed_; }
  bool expired() const;
  bool pinned() const;

 private:
  // Bytes, layers and bounds of an append.
  absl::Status CheckAppend(const shard::Append& call) const;
  absl::Status CheckLayer(const LayerBytes& layer, uint32_t count) const;
  // That the entries before the call's offset are held.
  absl::Status CheckHeld(const shard::Append& call) const;
  absl::Status CheckNotSealed() const;
  std::shared_ptr<Stripe> FindOrAddStripe(uint32_t stripe);
  absl::Status Update(const std::function<void(ContextRecord*)>& change);
  absl::Status CheckNotRemoved() const;
  absl::Status RemoveOnce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(update_mu_);

  // Constant once the context is shared.
  const std::shared_ptr<ContextStorage> storage_;
  std::atomic<int64_t> last_used_us_;
  // One change of the record at a time, and no append meanwhile; held while it is stored.
  absl::Mutex update_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  std::atomic<bool> removed_ = false;  // changed under update_mu_
  mutable absl::Mutex mu_;
  ContextRecord record_ ABSL_GUARDED_BY(mu_);
  std::map<uint32_t, std::shared_ptr<Stripe>> stripes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_CONTEXT_H_
