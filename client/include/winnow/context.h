#ifndef WINNOW_CLIENT_INCLUDE_WINNOW_CONTEXT_H_
#define WINNOW_CLIENT_INCLUDE_WINNOW_CONTEXT_H_

#include <future>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "winnow/decode_session.h"
#include "winnow/maintenance.h"
#include "winnow/types.h"

namespace winnow::client {

class Connection;

// A handle of one context; cheap to copy. Thread-safe.
//
// Of every call: NOT_FOUND UNKNOWN_CONTEXT once the context is deleted or has expired, DATA_LOSS
// MISSING_CONTEXT, MISSING_ENTRIES or MISSING_STRIPES (fact "shards") if a shard lost its part,
// UNAVAILABLE SHARD_UNAVAILABLE if one does not answer. Delete is as Client::DeleteContext.
class Context {
 public:
  Context(std::shared_ptr<Connection> connection, std::string id,
          std::shared_ptr<const Profile> profile);

  const std::string& id() const { return id_; }
  const Profile& profile() const { return *profile_; }

  // Stores `count` entries of each given layer from `start_position` on. Sending the same again is
  // not an error. ABORTED APPEND_CONFLICT if other bytes are there, OUT_OF_RANGE APPEND_GAP (fact
  // "resume_position") if there is a hole before them: nothing is changed in either case.
  // INVALID_ARGUMENT for more than 1 GiB; a service takes 64 MiB unless it is set otherwise.
  absl::StatusOr<AppendResult> Append(uint64_t start_position, uint32_t count,
                                      std::span<const LayerEntries> layers) const;

  // The same without waiting. Appends to one layer must be started in order, each after the one
  // before it has been acknowledged.
  std::future<absl::StatusOr<AppendResult>> AppendAsync(uint64_t start_position, uint32_t count,
                                                        std::span<const LayerEntries> layers) const;

  // The best entries for each query row. OUT_OF_RANGE VISIBLE_OUT_OF_RANGE (fact "end").
  absl::StatusOr<SelectResult> Select(int layer, const IndexQuery& query) const;
  // Those and their KV rows.
  absl::StatusOr<GatherResult> Gather(int layer, const SelectionSource& source) const;
  // Sparse attention over them. NOT_FOUND SELECTION_EXPIRED if an earlier selection is gone.
  absl::StatusOr<AttendResult> Attend(const AttendRequest& request) const;
  std::future<absl::StatusOr<AttendResult>> AttendAsync(const AttendRequest& request) const;

  // One stream for a whole generation: appends and queries in one message each.
  std::unique_ptr<DecodeSession> StartDecode() const;

  // A context with the first `entries` of this one; full pages are shared. Ids are as with
  // Client::CreateContext.
  absl::StatusOr<Context> Fork(uint64_t entries, const std::string& fork_id = "",
                               absl::Duration ttl = absl::InfiniteDuration()) const;
  absl::Status Seal() const;
  absl::StatusOr<ContextInfo> Describe() const;
  absl::Status Delete() const;

  // The context lives for `ttl` from now on, whatever it had left. NOT_FOUND once it has expired.
  absl::Status RenewLease(absl::Duration ttl) const;
  // Keeps it in memory, so long or until it is unpinned. RESOURCE_EXHAUSTED if a shard's part of it
  // is more than the shard's memory.
  absl::Status Pin(absl::Duration duration = absl::InfiniteDuration()) const;
  absl::Status Unpin() const;

  // From memory to disk, and back. FAILED_PRECONDITION NO_DATA_DIR where a shard keeps nothing on
  // disk, and CONTEXT_PINNED for spilling what is pinned.
  absl::StatusOr<TierResult> Spill(Planes planes, const StripeRange& range = {}) const;
  absl::StatusOr<TierResult> Restore(Planes planes, const StripeRange& range = {}) const;
  // Compares pages with their checksums, wherever they lie. Damage is in the result.
  absl::StatusOr<TierResult> Verify(Planes planes, const StripeRange& range = {}) const;
  // Into files below `directory`, an absolute path on each shard's machine. The last range
  // completes the snapshot.
  absl::StatusOr<SnapshotResult> SaveSnapshot(const std::string& directory,
                                              const StripeRange& range = {}) const;

 private:
  absl::Status SetPin(bool pinned, absl::Duration duration) const;

  std::shared_ptr<Connection> connection_;
  std::string id_;
  std::shared_ptr<const Profile> profile_;
};

}  // namespace winnow::client

#endif  // WINNOW_CLIENT_INCLUDE_WINNOW_CONTEXT_H_
