#include "storage/rocksdb/recovery.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "storage/page_set.h"
#include "storage/rocksdb/checks.h"
#include "storage/rocksdb/keys.h"
#include "storage/rocksdb/options.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

// What the keys of the open segment say of one layer of a stripe.
struct OpenLayer {
  struct Range {
    uint32_t first = 0;
    uint32_t end = 0;
  };
  Range planes[2];
};

class Recoverer {
 public:
  Recoverer(Database* database, SegmentBook* book, Recovery* recovery)
      : database_(database), book_(book), recovery_(recovery) {}

  absl::StatusOr<Resumed> Run() {
    auto meta = ReadMeta(database_);
    if (!meta.ok()) return meta.status();
    meta_ = *std::move(meta);
    for (const auto& step : {&Recoverer::AddContexts, &Recoverer::AddRuns, &Recoverer::ScanOpen,
                             &Recoverer::AddOpenRuns, &Recoverer::CloseOpen}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    MoveStripes();
    return Resumed{meta_.next_number, found_open_ ? open() + 1 : open()};
  }

 private:
  // The stripes of a context while they are put together.
  struct Building {
    ContextRecord record;
    std::map<uint32_t, StoredStripe> stripes;
  };

  uint32_t open() const { return meta_.closed + 1; }

  absl::Status AddContexts() {
    auto records = ReadContexts(*database_);
    if (!records.ok()) return records.status();
    for (ContextRecord& record : *records) {
      // Sizes and places in memory follow from it, and from where runs end.
      if (const absl::Status status = ValidateProfile(record.profile); !status.ok()) {
        return CorruptStore("", absl::StrCat("the profile of context ", record.context_id,
                                             " is not sound: ", status.message()));
      }
      const uint64_t number = record.number;
      contexts_[number].record = std::move(record);
    }
    return absl::OkStatus();
  }

  absl::Status AddRuns() {
    const auto runs = ReadRuns(*database_);
    if (!runs.ok()) return runs.status();
    for (const RunRecord& run : *runs) {
      const auto found = contexts_.find(run.key.number);
      if (found == contexts_.end()) continue;
      if (run.segment > open()) {
        return CorruptStore("", absl::StrCat("a run lies in segment ", run.segment, " but only ",
                                             meta_.closed, " are closed"));
      }
      if (run.key.stripe >= kMaxStripes || run.key.end < 1 || run.key.end > kStripeEntries) {
        return CorruptStore(
            "", absl::StrCat("a run ends at entry ", run.key.end, " of stripe ", run.key.stripe));
      }
      std::vector<StoredRun>* layer = Layer(&found->second, run.key.stripe, run.key.layer);
      if (layer == nullptr) return CorruptStore("", "a run has a layer that its context has not");
      layer->push_back({TakeExtent(run.extent_number, run.segment), run.key.end});
      book_->Pin(run.key.number, layer->back().extent);
    }
    return absl::OkStatus();
  }

  // Null if the profile has no such layer.
  static std::vector<StoredRun>* Layer(Building* context, uint32_t stripe, int layer) {
    if (static_cast<size_t>(layer) >= context->record.profile.layers.size()) return nullptr;
    StoredStripe& found = context->stripes[stripe];
    found.stripe = stripe;
    found.layers.resize(context->record.profile.layers.size());
    return &found.layers[layer];
  }

  std::shared_ptr<const Extent> TakeExtent(uint64_t number, uint32_t segment) {
    const bool known = book_->IsAlive(number, segment);
    auto extent = book_->Take(number, segment);
    const auto bytes = meta_.extent_bytes.find({segment, number});
    if (!known && bytes != meta_.extent_bytes.end()) book_->Wrote(*extent, bytes->second, true);
    return extent;
  }

  absl::Status ScanOpen() {
    const std::unique_ptr<rocksdb::Iterator> i(
        database_->db()->NewIterator(ScanOptions(), database_->entries()));
    for (i->Seek(EntryKeyBytes({open(), 0, Plane::kIndex, 0, 0}).slice()); i->Valid(); i->Next()) {
      EntryKey key;
      if (!DecodeEntryKey(i->key(), &key))
        return CorruptStore("", "a key of an entry is malformed");
      if (key.segment != open()) {
        return CorruptStore("", absl::StrCat("the end of segment ", open(), " is missing"));
      }
      found_open_ = true;
      extent_bytes_[key.number] += i->value().size() + i->key().size();
      const auto context = contexts_.find(key.number);
      if (context == contexts_.end()) continue;
      if (absl::Status status = AddKey(context->second.record, key, i->value()); !status.ok()) {
        return status;
      }
    }
    return FromRocksdb(i->status(), "reading the open segment");
  }

  absl::Status AddKey(const ContextRecord& record, const EntryKey& key,
                      const rocksdb::Slice& value) {
    const Profile& profile = record.profile;
    const size_t bytes = key.plane == Plane::kIndex ? profile.key_bytes() : profile.row_bytes();
    const uint32_t count = VerifyEntries(EntryKeyBytes(key), key.position, bytes, value);
    const uint32_t first = key.position % kStripeEntries;
    if (count == 0) {
      return CorruptEntries(key.number, key.layer, key.position, uint64_t{key.position} + 1,
                            "the check of what was read from the log does not match");
    }
    OpenLayer& layer = open_[{key.number, key.position / kStripeEntries, key.layer}];
    OpenLayer::Range& range = layer.planes[static_cast<int>(key.plane)];
    if (range.end == 0) range = {first, first};
    if (range.end != first) {
      return CorruptStore(
          "", absl::StrCat("entries of layer ", key.layer, " are missing before ", key.position));
    }
    range.end += count;
    if (range.end > kStripeEntries) {
      return CorruptStore("", absl::StrCat("entries of layer ", key.layer, " at ", key.position,
                                           " lie beyond their stripe"));
    }
    if (key.plane == Plane::kKv) recovery_->entries_from_log += count;
    return absl::OkStatus();
  }

  absl::Status AddOpenRuns() {
    for (const auto& [number, bytes] : extent_bytes_) {
      // Held until the end, so that bytes are counted for what a fork refers to.
      extents_.push_back(book_->Take(number, open()));
      book_->Wrote(*extents_.back(), bytes, true);
    }
    for (const auto& [place, layer] : open_) {
      const auto& [number, stripe, index] = place;
      Building& context = contexts_.at(number);
      std::vector<StoredRun>* runs = Layer(&context, stripe, index);
      const auto& [keys, rows] = layer.planes;
      const bool alike = runs != nullptr && (!context.record.profile.has_index(index) ||
                                             (keys.first == rows.first && keys.end == rows.end));
      const uint32_t before = !alike || runs->empty() ? 0 : runs->back().end;
      if (!alike || before != rows.first) {
        return CorruptStore("", absl::StrCat("layer ", index, " of stripe ", stripe, " of context ",
                                             number, " has a hole before ", rows.first));
      }
      runs->push_back({book_->Take(number, open()), rows.end});
      book_->Pin(number, runs->back().extent);
      PutRun(*database_, {{number, stripe, index, rows.end}, number, open()}, &closing_);
    }
    return absl::OkStatus();
  }

  absl::Status CloseOpen() {
    if (!found_open_) return absl::OkStatus();
    PutClosed(*database_, open(), book_->Extents(open()), &closing_);
    if (absl::Status status = database_->Write(&closing_, WriteMode::kLogged); !status.ok()) {
      return status;
    }
    return database_->FlushSegment();
  }

  void MoveStripes() {
    recovery_->contexts.clear();
    for (auto& [number, context] : contexts_) {
      StoredContext& stored = recovery_->contexts.emplace_back();
      stored.record = std::move(context.record);
      for (auto& [stripe, layers] : context.stripes) stored.stripes.push_back(std::move(layers));
    }
  }

  Database* const database_;
  SegmentBook* const book_;
  Recovery* const recovery_;
  Meta meta_;
  std::map<uint64_t, Building> contexts_;
  bool found_open_ = false;
  std::map<uint64_t, uint64_t> extent_bytes_;  // of the open segment, by context number
  std::map<std::tuple<uint64_t, uint32_t, int>, OpenLayer> open_;
  std::vector<std::shared_ptr<const Extent>> extents_;
  rocksdb::WriteBatch closing_;
};

}  // namespace

absl::StatusOr<Resumed> Recover(Database* database, SegmentBook* book, Recovery* recovery) {
  return Recoverer(database, book, recovery).Run();
}

}  // namespace winnow
