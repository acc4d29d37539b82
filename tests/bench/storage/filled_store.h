#ifndef WINNOW_TESTS_BENCH_STORAGE_FILLED_STORE_H_
#define WINNOW_TESTS_BENCH_STORAGE_FILLED_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/entry_store.h"
#include "tests/bench/positional_data.h"

namespace winnow::bench {

inline constexpr int kBenchLayers = 4;

// Ends the process and says why unless the status is OK.
void Must(const absl::Status& status);
template <typename T>
T Must(absl::StatusOr<T> result) {
  Must(result.status());
  return *std::move(result);
}

std::unique_ptr<EntryStore> OpenStore(const EntryStoreOptions& options, Recovery* recovery);

// A context of DeepSeek-V3.2's shapes that is not stored yet.
ContextRecord BenchContext(const std::string& id, Durability durability);

// Entries of all layers of one stripe, as an append has them.
class StripeBytes {
 public:
  // Entries [0, count).
  explicit StripeBytes(uint32_t count);

  // The same bytes as entries [first, first + count).
  std::vector<StoreWrite> Writes(uint32_t first) const;
  uint64_t bytes() const;

 private:
  const uint32_t count_;
  std::vector<std::byte> keys_[kBenchLayers];
  std::vector<std::byte> rows_[kBenchLayers];
};

// A store that holds one context of whole stripes, all of it in files.
class FilledStore {
 public:
  FilledStore(std::string directory, uint64_t bytes);

  // Opens the store anew with a row cache of that size; the caches are empty then.
  void Reopen(size_t row_cache_bytes);

  EntryStore& store() { return *store_; }
  const ContextRecord& record() const { return record_; }
  const std::vector<StoredStripe>& stripes() const { return stripes_; }
  uint64_t bytes() const { return stripes_.size() * stripe_bytes_; }
  uint64_t stripe_bytes() const { return stripe_bytes_; }
  int reader_threads() const { return options_.reader_threads; }

  StoredRange Range(size_t stripe, int layer) const;
  RowRef RandomRow(SplitMix& random) const;

 private:
  EntryStoreOptions options_;
  std::unique_ptr<EntryStore> store_;
  ContextRecord record_;
  std::vector<StoredStripe> stripes_;
  uint64_t stripe_bytes_ = 0;
};

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_STORAGE_FILLED_STORE_H_
