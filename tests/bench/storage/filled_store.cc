#include "tests/bench/storage/filled_store.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "storage/page_set.h"

namespace winnow::bench {

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench_storage: %s\n", status.ToString().c_str());
  std::exit(1);
}

std::unique_ptr<EntryStore> OpenStore(const EntryStoreOptions& options, Recovery* recovery) {
  return Must(EntryStore::Open(options, recovery));
}

ContextRecord BenchContext(const std::string& id, Durability durability) {
  return {.context_id = id,
          .tenant = "bench",
          .profile = *DeepSeekProfile(kBenchLayers),
          .durability = durability};
}

StripeBytes::StripeBytes(uint32_t count) : count_(count) {
  const PositionalData data(DeepSeekProfile(kBenchLayers));
  for (int layer = 0; layer < kBenchLayers; ++layer) {
    keys_[layer].resize(count * data.profile().key_bytes());
    rows_[layer].resize(count * data.profile().row_bytes());
    data.Keys(layer, 0, count, keys_[layer].data());
    data.Rows(layer, 0, count, rows_[layer].data());
  }
}

std::vector<StoreWrite> StripeBytes::Writes(uint32_t first) const {
  std::vector<StoreWrite> writes;
  for (int layer = 0; layer < kBenchLayers; ++layer) {
    writes.push_back({.layer = layer,
                      .first = first,
                      .count = count_,
                      .index_keys = keys_[layer],
                      .kv_rows = rows_[layer]});
  }
  return writes;
}

uint64_t StripeBytes::bytes() const { return kBenchLayers * (keys_[0].size() + rows_[0].size()); }

FilledStore::FilledStore(std::string directory, uint64_t bytes)
    : options_{.directory = std::move(directory)},
      record_(BenchContext("bench/read", Durability::kLogged)) {
  const StripeBytes stripe(kStripeEntries);
  stripe_bytes_ = stripe.bytes();
  Recovery recovery;
  store_ = OpenStore(options_, &recovery);
  Must(store_->AddContext(&record_));
  const auto count = static_cast<uint32_t>((bytes + stripe_bytes_ - 1) / stripe_bytes_);
  for (uint32_t number = 0; number < count; ++number) {
    Must(store_->Append(record_, number, stripe.Writes(0)));
  }
  Must(store_->Flush());
  Reopen(options_.row_cache_bytes);
}

void FilledStore::Reopen(size_t row_cache_bytes) {
  stripes_.clear();
  store_ = nullptr;
  options_.row_cache_bytes = row_cache_bytes;
  Recovery recovery;
  store_ = OpenStore(options_, &recovery);
  stripes_ = std::move(recovery.contexts.at(0).stripes);
}

StoredRange FilledStore::Range(size_t stripe, int layer) const {
  return {.stripe = stripes_[stripe].stripe,
          .layer = layer,
          .first = 0,
          .end = kStripeEntries,
          .runs = stripes_[stripe].layers[layer]};
}

RowRef FilledStore::RandomRow(SplitMix& random) const {
  const StoredStripe& stripe = stripes_[random.Next() % stripes_.size()];
  const auto layer = static_cast<int>(random.Next() % kBenchLayers);
  const auto entry = static_cast<uint32_t>(random.Next() % kStripeEntries);
  return {.extent = stripe.layers[layer][0].extent.get(),
          .layer = layer,
          .position = stripe.stripe * kStripeEntries + entry};
}

}  // namespace winnow::bench
