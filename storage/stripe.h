#ifndef WINNOW_STORAGE_STRIPE_H_
#define WINNOW_STORAGE_STRIPE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/context_storage.h"
#include "storage/layer_bytes.h"
#include "storage/page_set.h"
#include "storage/stored_run.h"

namespace winnow {

// All layers of kStripeEntries consecutive positions. Entries are only ever added: those below
// entries(layer) never change. Each plane of a layer is in memory, or cold: on disk alone.
// Thread-safe; a reader holds on to a PageSet and needs no lock.
class Stripe {
 public:
  using Layers = std::span<const LayerBytes>;
  // Empty, or with what is stored, all of it cold.
  Stripe(std::shared_ptr<const ContextStorage> context, uint32_t number);
  Stripe(std::shared_ptr<const ContextStorage> context, const StoredStripe& stored);
  ~Stripe();

  uint32_t number() const { return number_; }
  const std::shared_ptr<const ContextStorage>& context() const { return context_; }
  // Entries of the layer that are readable, 0..kStripeEntries.
  uint32_t entries(int layer) const;

  // Stores [offset, offset + count) of the given layers, all or nothing, as durably as the context
  // asks: entries that are already there are compared. The caller has validated layers and byte
  // counts. Returns the number of entries written (over all layers).
  // ABORTED APPEND_CONFLICT (fact "offset": first entry whose bytes differ), OUT_OF_RANGE
  // APPEND_GAP (fact "entries": where the layer ends), RESOURCE_EXHAUSTED if there is no memory;
  // errors of EntryStore. The deadline is for what has to be read, and for room on disk.
  absl::StatusOr<uint64_t> Append(uint32_t offset, uint32_t count, Layers layers,
                                  absl::Time deadline = absl::InfiniteFuture());
  // The checks of Append alone: APPEND_CONFLICT, APPEND_GAP, errors of EntryStore, or OK.
  absl::Status Compare(uint32_t offset, uint32_t count, Layers layers,
                       absl::Time deadline = absl::InfiniteFuture()) const;

  // The plane's pages, good for all entries that entries(layer) told of before; null while cold.
  // DATA_LOSS CORRUPT_PAGE if they were found damaged and there is no other copy.
  absl::StatusOr<std::shared_ptr<const PageSet>> Pages(int layer, Plane plane) const;
  // Entries [0, end), [end, entry bytes], for a copy with checksums of its own: what is damaged in
  // memory adds a line to `damaged` and is read from disk, or DATA_LOSS CORRUPT_PAGE.
  absl::Status ReadSound(int layer, Plane plane, uint32_t end, absl::Time deadline,
                         std::byte* bytes, std::vector<std::string>* damaged);
  // Where entries [first, end) lie on disk. Those of a cold plane all do.
  StoredRange Stored(int layer, uint32_t first, uint32_t end) const;

  // A stripe of `context` with the first `entries` entries of each layer (or all it has, if fewer).
  // Full pages are shared, the partial one is copied; what is cold stays cold. DATA_LOSS
  // CORRUPT_PAGE if the partial one is damaged and not on disk.
  absl::StatusOr<std::shared_ptr<Stripe>> Fork(std::shared_ptr<const ContextStorage> context,
                                               uint32_t entries);
  StoredStripe stored() const;

  // Lets go of the plane's pages, layer by layer until `bytes` of entries are free, once stored.
  // Returns the bytes that no fork's stripe holds on to; they are free once the last reader lets
  // go. Layers that are damaged on disk, or only in memory, stay and add lines to `damaged`.
  absl::StatusOr<uint64_t> Spill(Plane plane, uint64_t bytes, absl::Time deadline,
                                 std::vector<std::string>* damaged);
  // Brings the layer's plane back into memory. Errors: MEMORY_BUDGET, and those of EntryStore.
  absl::Status Restore(int layer, Plane plane, absl::Time deadline);
  // Layers that are not in memory.
  std::vector<int> ColdLayers(Plane plane) const;
  // Adds a line to `damaged` for each layer whose pages or stored entries do not match their
  // checksums. Damaged pages are read from disk from then on, or not at all.
  absl::Status Verify(Plane plane, absl::Time deadline, std::vector<std::string>* damaged);

  // Lets go of copies on the device, layer by layer until those of `bytes` of pages are gone, and
  // returns the bytes. Their room is free once the last reader lets go, and forks that share them.
  uint64_t DropCopies(Plane plane, uint64_t bytes = UINT64_MAX);
  // Gives the plane's pages in memory copies on the device, which must be there. RESOURCE_EXHAUSTED
  // DEVICE_MEMORY at the first layer that finds no room; those before keep theirs.
  absl::Status AddCopies(Plane plane);
  // Bytes of pages in memory with such a copy and without, over all layers.
  uint64_t mirrored_bytes(Plane plane) const;
  uint64_t unmirrored_bytes(Plane plane) const;

  // Entry bytes of a plane in memory, on disk, and in all, of all layers, shared with forks or not.
  uint64_t resident_bytes(Plane plane) const;
  uint64_t stored_bytes(Plane plane) const;
  uint64_t bytes(Plane plane) const;

 private:
  struct Layer;
  struct LayerCopy;
  using Planes = std::span<const Plane>;

  Planes PlanesOf(int layer) const;
  bool HasPlane(int layer, Plane plane) const;
  // That the append leaves no gap and repeats what is held.
  absl::Status CheckOverlap(uint32_t offset, uint32_t count, const LayerBytes& bytes,
                            absl::Time deadline) const;
  // First of entries [first, end) whose bytes differ from `bytes`, or `end`.
  absl::StatusOr<uint32_t> FindDifference(int layer, Plane plane, uint32_t first, uint32_t end,
                                          const std::byte* bytes, absl::Time deadline) const;
  // From memory or from disk; [end - first, entry bytes].
  absl::Status Read(int layer, Plane plane, uint32_t first, uint32_t end, absl::Time deadline,
                    std::byte* bytes) const;
  absl::Status ReadStored(int layer, Plane plane, uint32_t first, uint32_t end, absl::Time deadline,
                          std::byte* bytes) const;

  absl::Status Reserve(int layer, uint32_t end, absl::Time deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  absl::StatusOr<std::shared_ptr<const Extent>> StoreNew(uint32_t offset, uint32_t end,
                                                         Layers layers, absl::Time deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  void Write(uint32_t offset, uint32_t end, const LayerBytes& bytes,
             const std::shared_ptr<const Extent>& extent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  void TrimPages(int layer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  absl::StatusOr<LayerCopy> CopyLayer(int layer, uint32_t entries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  absl::Status StoreRest(int layer, absl::Time deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  absl::StatusOr<std::shared_ptr<PageSet>> LoadPages(int layer, Plane plane, uint32_t end,
                                                     absl::Time deadline) const;
  absl::Status RestoreLayer(int layer, Plane plane, absl::Time deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  absl::Status VerifyPages(int layer, Plane plane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  absl::Status VerifyStored(int layer, Plane plane, absl::Time deadline);
  absl::Status AddLayerCopies(int layer, Plane plane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  std::shared_ptr<PageSet> FindPages(int layer, Plane plane) const;
  // Those who read the pages that were there hold on to them.
  void ReplacePages(int layer, Plane plane, std::shared_ptr<PageSet> pages)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  uint32_t StoredEnd(int layer) const;
  void PublishMirror() const;

  // Constant after construction.
  const std::shared_ptr<const ContextStorage> context_;
  const Profile& profile_;
  const uint32_t number_;

  absl::Mutex write_mu_;  // One writer at a time, appending or moving between tiers.
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_STRIPE_H_
