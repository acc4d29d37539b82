#include "tests/storage/entry_store_data.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "storage/page_set.h"

namespace winnow {

std::vector<std::string> TempDirectory::Files(const std::string& suffix) const {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path())) {
    if (absl::EndsWith(entry.path().string(), suffix)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

namespace {

// Names, sizes and times of all files.
std::string Listing(const std::string& directory) {
  std::vector<std::string> lines;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::error_code gone;
    const auto bytes = entry.file_size(gone);
    const auto time = entry.last_write_time(gone).time_since_epoch().count();
    lines.push_back(absl::StrCat(entry.path().string(), " ", bytes, " ", time));
  }
  std::sort(lines.begin(), lines.end());
  return absl::StrJoin(lines, "\n");
}

}  // namespace

void CopyDirectory(const std::string& from, const std::string& to) {
  std::string listing;
  do {
    listing = Listing(from);
    std::filesystem::remove_all(to);
    std::filesystem::create_directories(to);
    for (const auto& entry : std::filesystem::directory_iterator(from)) {
      std::error_code gone;
      std::filesystem::copy_file(entry.path(), to + "/" + entry.path().filename().string(), gone);
    }
  } while (Listing(from) != listing);
}

void FlipByte(const std::string& path, uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char flipped = static_cast<char>(file.get() ^ 0x41);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(flipped);
}

Profile SmallStoreProfile() {
  return {.name = "small-store",
          .key_format = kernels::KeyFormat::kFp8E4M3,
          .row_format = kernels::RowFormat::kBf16,
          .index_heads = 2,
          .index_dim = 32,
          .latent_dim = 32,
          .rope_dim = 16,
          .query_heads = 2,
          .top_k = 8,
          .softmax_scale = 0.5f,
          .layers = {LayerKind::kOwn, LayerKind::kNone, LayerKind::kShared, LayerKind::kOwn}};
}

Profile LargeStoreProfile() {
  Profile profile = SmallStoreProfile();
  profile.name = "large-store";
  profile.row_format = kernels::RowFormat::kFp8FlashMla;
  profile.index_dim = 128;
  profile.latent_dim = 512;
  profile.rope_dim = 64;
  return profile;
}

EntryStoreOptions SmallStore(const std::string& directory) {
  EntryStoreOptions options;
  options.directory = directory;
  options.segment_bytes = size_t{64} << 10;
  options.row_cache_bytes = size_t{1} << 20;
  options.block_cache_bytes = size_t{4} << 20;
  options.reader_threads = 4;
  return options;
}

std::unique_ptr<EntryStore> MustOpen(const EntryStoreOptions& options, Recovery* recovery) {
  Recovery ignored;
  auto store = EntryStore::Open(options, recovery == nullptr ? &ignored : recovery);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

StoreContext::StoreContext(std::string id, Durability durability, Profile profile) {
  record_.context_id = std::move(id);
  record_.tenant = "tenant";
  record_.profile = std::move(profile);
  record_.durability = durability;
}

StoreContext::StoreContext(const StoredContext& stored)
    : record_(stored.record), stripes_(stored.stripes) {
  if (stripes_.empty()) return;
  const StoredStripe& last = stripes_.back();
  const auto& runs = last.layers[0];
  entries_ = uint64_t{last.stripe} * kStripeEntries + (runs.empty() ? 0 : runs.back().end);
}

const std::string& StoreContext::Writer(uint64_t position) const {
  return record_.origin.has_value() && position < record_.origin->entries
             ? record_.origin->parent_id
             : record_.context_id;
}

std::vector<std::byte> StoreContext::Entries(Plane plane, int layer, uint64_t first,
                                             uint64_t count) const {
  const size_t bytes = EntryBytes(record_.profile, plane);
  std::vector<std::byte> entries(count * bytes);
  for (uint64_t i = 0; i < count; ++i) {
    const std::string place =
        absl::StrCat(Writer(first + i), "/", static_cast<int>(plane), "/", layer, "/", first + i);
    uint64_t random = XXH3_64bits(place.data(), place.size());
    for (size_t at = 0; at < bytes; at += sizeof random) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      std::memcpy(&entries[i * bytes + at], &random, std::min(sizeof random, bytes - at));
    }
  }
  return entries;
}

absl::Status StoreContext::Append(EntryStore* store, uint32_t count) {
  while (count > 0) {
    const uint32_t stripe = static_cast<uint32_t>(entries_ / kStripeEntries);
    const uint32_t first = static_cast<uint32_t>(entries_ % kStripeEntries);
    const uint32_t part = std::min(count, kStripeEntries - first);
    const Profile& profile = record_.profile;
    std::vector<std::vector<std::byte>> bytes;
    std::vector<StoreWrite> writes;
    for (int layer = 0; layer < static_cast<int>(profile.layers.size()); ++layer) {
      if (!profile.stores(layer)) continue;
      StoreWrite write{.layer = layer, .first = first, .count = part};
      if (profile.has_index(layer)) {
        write.index_keys = bytes.emplace_back(Entries(Plane::kIndex, layer, entries_, part));
      }
      write.kv_rows = bytes.emplace_back(Entries(Plane::kKv, layer, entries_, part));
      writes.push_back(write);
    }
    auto extent = store->Append(record_, stripe, writes);
    if (!extent.ok()) return extent.status();
    if (stripes_.empty() || stripes_.back().stripe != stripe) {
      stripes_.push_back({stripe, std::vector<std::vector<StoredRun>>(profile.layers.size())});
    }
    for (const StoreWrite& write : writes) {
      auto& runs = stripes_.back().layers[write.layer];
      if (runs.empty() || runs.back().extent != *extent) runs.push_back({*extent, 0});
      runs.back().end = first + part;
    }
    entries_ += part;
    count -= part;
  }
  return absl::OkStatus();
}

StoreContext StoreContext::Fork(std::string id, uint64_t entries, Durability durability) const {
  StoreContext fork(std::move(id), durability, record_.profile);
  fork.record_.origin = ForkOrigin{record_.context_id, entries};
  fork.entries_ = entries;
  for (const StoredStripe& stripe : stripes_) {
    const uint64_t base = uint64_t{stripe.stripe} * kStripeEntries;
    if (base >= entries) break;
    StoredStripe copy{stripe.stripe, {}};
    for (const auto& runs : stripe.layers) {
      auto& kept = copy.layers.emplace_back();
      uint32_t begin = 0;
      for (const StoredRun& run : runs) {
        if (base + begin >= entries) break;
        kept.push_back(
            {run.extent, static_cast<uint32_t>(std::min<uint64_t>(run.end, entries - base))});
        begin = run.end;
      }
    }
    fork.stripes_.push_back(std::move(copy));
  }
  return fork;
}

absl::Status StoreContext::VerifyRange(EntryStore* store, const StoredStripe& stripe,
                                       int layer) const {
  const auto& runs = stripe.layers[layer];
  if (runs.empty()) return absl::OkStatus();
  const uint64_t base = uint64_t{stripe.stripe} * kStripeEntries;
  const uint32_t end = static_cast<uint32_t>(std::min<uint64_t>(kStripeEntries, entries_ - base));
  // From odd places too, so that reads begin inside of pieces.
  for (const uint32_t first : {uint32_t{0}, end / 3, end - 1}) {
    const StoredRange range{stripe.stripe, layer, first, end, runs};
    for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
      if (plane == Plane::kIndex && !record_.profile.has_index(layer)) continue;
      const size_t bytes = EntryBytes(record_.profile, plane);
      std::vector<std::byte> read((end - first) * bytes);
      const absl::Status status =
          plane == Plane::kIndex
              ? store->ReadKeys(range, bytes, absl::InfiniteFuture(), read.data())
              : store->ReadRows(range, bytes, absl::InfiniteFuture(), read.data());
      if (!status.ok()) return status;
      if (read != Entries(plane, layer, base + first, end - first)) {
        return absl::InternalError(absl::StrCat("wrong bytes in layer ", layer, ", stripe ",
                                                stripe.stripe, " from ", first));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status StoreContext::Verify(EntryStore* store) const {
  uint64_t found = 0;
  for (const StoredStripe& stripe : stripes_) {
    for (int layer = 0; layer < static_cast<int>(stripe.layers.size()); ++layer) {
      const absl::Status status = VerifyRange(store, stripe, layer);
      if (!status.ok()) return status;
    }
    found += stripe.layers[0].back().end;
  }
  return found == entries_ ? absl::OkStatus()
                           : absl::InternalError(absl::StrCat(found, " of ", entries_, " entries"));
}

RowRef StoreContext::Row(int layer, uint64_t position) const {
  const uint32_t offset = static_cast<uint32_t>(position % kStripeEntries);
  for (const StoredRun& run : stripes_[position / kStripeEntries].layers[layer]) {
    if (offset < run.end) return {run.extent.get(), layer, static_cast<uint32_t>(position)};
  }
  return {};
}

absl::Status StoreContext::VerifyRows(EntryStore* store, const std::vector<RowRef>& rows) const {
  const size_t bytes = record_.profile.row_bytes();
  const auto fetched = store->FetchRows(rows, bytes, absl::InfiniteFuture());
  if (!fetched.ok()) return fetched.status();
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto expected = Entries(Plane::kKv, rows[i].layer, rows[i].position, 1);
    if (std::memcmp(fetched->rows()[i], expected.data(), bytes) != 0) {
      return absl::InternalError(absl::StrCat("wrong row at ", rows[i].position));
    }
  }
  return absl::OkStatus();
}

}  // namespace winnow
