#ifndef WINNOW_SERVICES_SHARD_CONTEXT_H_
#define WINNOW_SERVICES_SHARD_CONTEXT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "services/shard/messages.h"
#include "storage/page_arena.h"
#include "storage/profile.h"
#include "storage/stripe.h"

namespace winnow::shard {

// What one shard holds of a context. Thread-safe; scoring and attention hold no lock, since the
// stripes they were given only grow.
class Context {
 public:
  // What a fork was made of.
  struct Origin {
    std::string parent_id;
    uint64_t entries = 0;

    friend bool operator==(const Origin&, const Origin&) = default;
  };

  // The arena and the mirror, null for none, must outlive the context. origin: none unless it is a
  // fork.
  Context(const CreateContext& call, PageArena* arena, PageMirror* mirror,
          std::optional<Origin> origin = std::nullopt);

  // OK, or FAILED_PRECONDITION STALE_CONTEXT if `tag` is not this context's.
  absl::Status CheckTag(uint64_t tag) const;

  // Checks the call against the profile, then appends; see the messages for errors.
  absl::StatusOr<AppendResult> Append(const shard::Append& call);

  // A context of that id with the first `entries` entries of this one.
  absl::StatusOr<std::shared_ptr<Context>> Fork(const std::string& id, uint64_t entries) const;

  void Seal();
  ContextState Describe() const;

  // Null if nothing of the stripe is held.
  std::shared_ptr<const Stripe> FindStripe(uint32_t stripe) const;

  const Profile& profile() const { return *profile_; }
  const std::string& id() const { return id_; }
  const std::string& tenant() const { return tenant_; }
  uint64_t tag() const { return tag_; }

  // Whether making this one again would have made `other`.
  bool SameAs(const Context& other) const {
    return tag_ == other.tag_ && tenant_ == other.tenant_ && origin_ == other.origin_;
  }

 private:
  // Bytes, layers and bounds of an append.
  absl::Status CheckAppend(const shard::Append& call) const;
  absl::Status CheckLayer(const LayerBytes& layer, uint32_t count) const;
  // That the entries before the call's offset are held.
  absl::Status CheckHeld(const shard::Append& call) const;
  absl::Status CheckNotSealed() const;
  std::shared_ptr<Stripe> FindOrAddStripe(uint32_t stripe);

  // Constant after construction.
  const std::string id_;
  const std::string tenant_;
  const std::shared_ptr<const Profile> profile_;
  const uint64_t placement_key_;
  const uint64_t tag_;
  PageArena* const arena_;
  PageMirror* const mirror_;
  const std::optional<Origin> origin_;

  mutable absl::Mutex mu_;
  bool sealed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<uint32_t, std::shared_ptr<Stripe>> stripes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_CONTEXT_H_
