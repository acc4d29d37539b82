#ifndef WINNOW_STORAGE_SNAPSHOT_H_
#define WINNOW_STORAGE_SNAPSHOT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/context_record.h"
#include "storage/snapshot_file.h"
#include "storage/stripe.h"

// What a shard holds of a context as files in a directory of its own, format version 1:
//
//   part-<first stripe>.wns  blocks one after the other; a block is a layer of a stripe: stripe,
//                            layer and count, each little-endian u32, then the index keys [count,
//                            key_bytes] (of a layer with an index) and the KV rows [count,
//                            row_bytes]
//   snapshot.json            one line of JSON that names the version, the directory, the context's
//                            record, and each part's size and XXH3-128; then a line with the
//                            XXH3-128 of the first. Until the snapshot is finished it is called
//                            unfinished.json.
namespace winnow {

struct SnapshotPart {
  uint32_t first_stripe = 0;
  uint32_t stripes = 0;
  FileSeal seal;
};

struct SnapshotManifest {
  std::string name;  // of its directory when it was saved, "shard-3"; empty if it does not say
  ContextRecord record;
  uint64_t entries = 0;             // positions below are in the snapshot
  uint32_t shards = 0;              // among which the context was spread
  std::vector<SnapshotPart> parts;  // by first stripe
};

// The last name of a snapshot's directory.
std::string SnapshotName(const std::string& directory);

// The manifest of a finished snapshot. NOT_FOUND NO_SNAPSHOT if there is none, DATA_LOSS
// CORRUPT_SNAPSHOT if it is damaged, FAILED_PRECONDITION UNKNOWN_VERSION if a later version of
// Winnow wrote it.
absl::StatusOr<SnapshotManifest> ReadManifest(const std::string& directory);

// The names "<a>/<b>" of finished snapshots <directory>/<a>/<b>/<part>, in order. NOT_FOUND
// NO_SNAPSHOT if there is no such directory, RESOURCE_EXHAUSTED TOO_MANY_SNAPSHOTS if it holds more
// than `limit`, UNAVAILABLE DISK_FAILED (fact "path") if it or an <a> or <b> in it cannot be looked
// into, for it may be one. What no tenant or context can be called, as "lost+found", is passed
// over.
inline constexpr size_t kMaxListedSnapshots = 100'000;
absl::StatusOr<std::vector<std::string>> ListSnapshots(const std::string& directory,
                                                       const std::string& part,
                                                       size_t limit = kMaxListedSnapshots);

// Adds a part: the entries below `whole.entries` of stripes [first_stripe, first_stripe + count),
// of which `stripes` are those held. The name and parts of `whole` are not looked at; the first
// part, at stripe 0, begins the snapshot anew. Makes the directory. Returns the part's bytes. What
// is found damaged in memory adds a line to `damaged`. Where a finished snapshot is there, OK if it
// has that part of that context, and ALREADY_EXISTS SNAPSHOT_EXISTS if not; FAILED_PRECONDITION
// SNAPSHOT_OF_ANOTHER if the parts before are of another context, even of the same name; ABORTED
// SNAPSHOT_BUSY while another call writes there; errors of SealedFileWriter and Stripe::ReadSound.
absl::StatusOr<uint64_t> SavePart(const std::string& directory, const SnapshotManifest& whole,
                                  uint32_t first_stripe, uint32_t count,
                                  std::span<const std::shared_ptr<Stripe>> stripes,
                                  absl::Time deadline, std::vector<std::string>* damaged);
// Completes the snapshot of a context of which the shard holds `stripes`; may be repeated.
// ALREADY_EXISTS SNAPSHOT_EXISTS if one of another context is complete; FAILED_PRECONDITION
// SNAPSHOT_OF_ANOTHER as of SavePart, SNAPSHOT_INCOMPLETE (fact "first_stripe") if a stripe is in
// no part.
absl::Status FinishSnapshot(const std::string& directory, const ContextRecord& record,
                            std::span<const std::shared_ptr<Stripe>> stripes);

// Gives each block of the part to `sink`, after the whole part was verified. DATA_LOSS
// CORRUPT_SNAPSHOT; errors of the sink.
using BlockSink =
    std::function<absl::Status(uint32_t stripe, uint32_t count, const LayerBytes& bytes)>;
absl::Status LoadPart(const std::string& directory, const Profile& profile,
                      const SnapshotPart& part, const BlockSink& sink);

}  // namespace winnow

#endif  // WINNOW_STORAGE_SNAPSHOT_H_
