#ifndef WINNOW_TESTS_STORAGE_ENTRY_STORE_DATA_H_
#define WINNOW_TESTS_STORAGE_ENTRY_STORE_DATA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/entry_store.h"
#include "storage/page_set.h"
#include "tests/support/temp_dir.h"

namespace winnow {

// A directory of its own, deleted at the end.
class TempDirectory : public testing::TempDir {
 public:
  std::string operator/(const std::string& name) const { return File(name); }
  // Files whose names end so, sorted.
  std::vector<std::string> Files(const std::string& suffix) const;
};

// As a process that was killed now would leave it: waits until nobody writes to it, and copies it.
void CopyDirectory(const std::string& from, const std::string& to);

// Damages a file where it lies.
void FlipByte(const std::string& path, uint64_t at);

// Layers own, none, shared, own; keys of 36 bytes, rows of 96.
Profile SmallStoreProfile();
// The same layers with keys of 132 bytes and rows of 656.
Profile LargeStoreProfile();

EntryStoreOptions SmallStore(const std::string& directory);
// Fails the test unless the store opens.
std::unique_ptr<EntryStore> MustOpen(const EntryStoreOptions& options,
                                     Recovery* recovery = nullptr);

// A context whose entries are random and known from its id, and where they lie in a store.
class StoreContext {
 public:
  StoreContext(std::string id, Durability durability, Profile profile = SmallStoreProfile());
  // One that a store found.
  explicit StoreContext(const StoredContext& stored);

  absl::Status Add(EntryStore* store) { return store->AddContext(&record_, stripes_); }
  // Appends to all layers; one call for each stripe.
  absl::Status Append(EntryStore* store, uint32_t count);
  // What a fork of the first `entries` entries is; not added yet.
  StoreContext Fork(std::string id, uint64_t entries, Durability durability) const;

  // Reads all entries in order and compares them; OK if all are as they were appended.
  absl::Status Verify(EntryStore* store) const;
  // The same for some positions, by FetchRows.
  absl::Status VerifyRows(EntryStore* store, const std::vector<RowRef>& rows) const;
  RowRef Row(int layer, uint64_t position) const;
  // Lets go of the extents.
  void Drop() { stripes_.clear(); }

  const ContextRecord& record() const { return record_; }
  ContextRecord& record() { return record_; }
  uint64_t entries() const { return entries_; }
  const std::vector<StoredStripe>& stripes() const { return stripes_; }
  std::vector<std::byte> Entries(Plane plane, int layer, uint64_t first, uint64_t count) const;

 private:
  // Whose random bytes entries are, for entries of a fork that its parent wrote.
  const std::string& Writer(uint64_t position) const;
  absl::Status VerifyRange(EntryStore* store, const StoredStripe& stripe, int layer) const;

  ContextRecord record_;
  std::vector<StoredStripe> stripes_;
  uint64_t entries_ = 0;
};

}  // namespace winnow

#endif  // WINNOW_TESTS_STORAGE_ENTRY_STORE_DATA_H_
