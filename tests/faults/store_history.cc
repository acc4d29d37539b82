#include "tests/faults/store_history.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/stripe.h"

namespace winnow::testing {
namespace {

constexpr uint32_t kStripes[] = {0, 1, 3};  // another shard has stripe 2

struct WriteBytes {
  std::vector<std::byte> keys;
  std::vector<std::byte> rows;
};

void Extend(std::vector<StoredRun>* runs, const std::shared_ptr<const Extent>& extent,
            uint32_t end) {
  if (runs->empty() || runs->back().extent != extent) runs->push_back({extent});
  runs->back().end = end;
}

// Runs of the first `end` entries.
std::vector<StoredRun> Cut(const std::vector<StoredRun>& runs, uint32_t end) {
  std::vector<StoredRun> cut;
  uint32_t first = 0;
  for (const StoredRun& run : runs) {
    if (first >= end) break;
    cut.push_back({run.extent, std::min(run.end, end)});
    first = run.end;
  }
  return cut;
}

}  // namespace

StoreHistory::StoreHistory(HistoryOptions options)
    : options_(std::move(options)), random_(options_.seed) {}

size_t StoreHistory::acknowledged() const {
  absl::MutexLock lock(&mu_);
  return acknowledged_;
}

void StoreHistory::Begin(const std::string& context_id, std::optional<ExpectedContext> after) {
  absl::MutexLock lock(&mu_);
  changes_.push_back({context_id, std::move(after)});
}

void StoreHistory::Acknowledge() {
  absl::MutexLock lock(&mu_);
  acknowledged_ = changes_.size();
}

std::string StoreHistory::NewName() { return absl::StrCat(options_.name, "-", names_++); }

StoreHistory::Held* StoreHistory::AnyHeld() {
  if (held_.empty()) return nullptr;
  return &std::next(held_.begin(), Random(0, static_cast<int>(held_.size()) - 1))->second;
}

absl::Status StoreHistory::Step(EntryStore* store) {
  Held* const held = AnyHeld();
  const int dice = Random(0, 99);
  if (held == nullptr || (dice < 8 && held_.size() < options_.max_contexts)) {
    const int choice = Random(0, static_cast<int>(options_.durabilities.size()) - 1);
    return Create(store, options_.durabilities[static_cast<size_t>(choice)]);
  }
  if (dice < 14 && held_.size() < options_.max_contexts) return Fork(store, *held);
  if (dice < 18) return Update(store, held);
  if (dice < 24 && held_.size() > 1) {
    return Remove(store, std::string(held->expected.record.context_id));
  }
  if (dice < 26) return store->Reclaim();
  const uint32_t stripe = kStripes[Random(0, static_cast<int>(std::size(kStripes)) - 1)];
  return Append(store, held, stripe,
                static_cast<uint32_t>(Random(1, static_cast<int>(options_.max_append))));
}

absl::Status StoreHistory::Fill(EntryStore* store, Durability durability, uint32_t entries,
                                uint32_t batch) {
  const absl::Status created = Create(store, durability);
  if (!created.ok()) return created;
  Held* const held = &held_.at(absl::StrCat(options_.name, "-", names_ - 1));
  for (uint32_t end = 0; end < entries; end += batch) {
    const absl::Status appended = Append(store, held, 0, std::min(batch, entries - end));
    if (!appended.ok()) return appended;
  }
  return absl::OkStatus();
}

absl::Status StoreHistory::Create(EntryStore* store, Durability durability) {
  Held held;
  ContextRecord& record = held.expected.record;
  record.context_id = NewName();
  record.tenant = "tenant";
  record.profile = FaultProfile(/*large_rows=*/false);
  record.placement_key = random_();
  record.durability = durability;
  held.expected.content = Content(random_());
  Begin(record.context_id, held.expected);
  const absl::Status status = store->AddContext(&record);
  if (!status.ok()) return status;
  held_.emplace(record.context_id, std::move(held));
  Acknowledge();
  return status;
}

absl::Status StoreHistory::Append(EntryStore* store, Held* held, uint32_t stripe, uint32_t batch) {
  const Profile& profile = held->expected.record.profile;
  ExpectedContext after = held->expected;
  std::vector<uint32_t>& ends = after.ends[stripe];
  ends.resize(profile.layers.size());
  const bool all_layers = Random(0, 3) != 0;
  std::vector<StoreWrite> writes;
  std::vector<WriteBytes> bytes;
  bytes.reserve(profile.layers.size());
  for (int layer = 0; layer < static_cast<int>(profile.layers.size()); ++layer) {
    if (!profile.stores(layer) || !(all_layers || Random(0, 1) == 0)) continue;
    uint32_t& end = ends[static_cast<size_t>(layer)];
    const uint32_t count = std::min(batch, kStripeEntries - end);
    if (count == 0) continue;
    const uint64_t position = uint64_t{stripe} * kStripeEntries + end;
    bytes.push_back({after.content.Keys(profile, layer, position, count),
                     after.content.Rows(profile, layer, position, count)});
    writes.push_back({layer, end, count, bytes.back().keys, bytes.back().rows});
    end += count;
  }
  if (writes.empty()) return absl::OkStatus();
  Begin(after.record.context_id, after);
  auto extent = store->Append(after.record, stripe, writes);
  if (!extent.ok()) return extent.status();
  StoredStripe& stored = held->stripes[stripe];
  stored.stripe = stripe;
  stored.layers.resize(profile.layers.size());
  for (const StoreWrite& write : writes) {
    Extend(&stored.layers[static_cast<size_t>(write.layer)], *extent, write.first + write.count);
  }
  held->expected = std::move(after);
  Acknowledge();
  return absl::OkStatus();
}

absl::Status StoreHistory::Fork(EntryStore* store, const Held& parent) {
  uint64_t end = 0;
  for (const auto& [stripe, ends] : parent.expected.ends) {
    end = uint64_t{stripe} * kStripeEntries + *std::max_element(ends.begin(), ends.end());
  }
  const uint64_t entries = random_() % (end + 1);
  Held held;
  held.expected.record = parent.expected.record;
  ContextRecord& record = held.expected.record;
  record.context_id = NewName();
  record.sealed = false;
  record.origin = {.parent_id = parent.expected.record.context_id, .entries = entries};
  held.expected.content = parent.expected.content.ContinuedBy(random_(), entries);
  std::vector<StoredStripe> stripes;
  for (const auto& [stripe, stored] : parent.stripes) {
    const uint64_t first = uint64_t{stripe} * kStripeEntries;
    if (first >= entries) break;
    const auto kept = static_cast<uint32_t>(std::min<uint64_t>(entries - first, kStripeEntries));
    StoredStripe cut{.stripe = stripe};
    std::vector<uint32_t>& ends = held.expected.ends[stripe];
    for (const std::vector<StoredRun>& runs : stored.layers) {
      cut.layers.push_back(Cut(runs, kept));
      ends.push_back(cut.layers.back().empty() ? 0 : cut.layers.back().back().end);
    }
    held.stripes.emplace(stripe, cut);
    stripes.push_back(std::move(cut));
  }
  Begin(record.context_id, held.expected);
  const absl::Status status = store->AddContext(&record, stripes);
  if (!status.ok()) return status;
  held_.emplace(record.context_id, std::move(held));
  Acknowledge();
  return status;
}

absl::Status StoreHistory::Update(EntryStore* store, Held* held) {
  ExpectedContext after = held->expected;
  after.record.sealed = Random(0, 1) == 0;
  after.record.pinned_until =
      Random(0, 1) == 0 ? absl::InfinitePast() : absl::FromUnixSeconds(Random(0, 1 << 30));
  after.record.expires_at = absl::FromUnixSeconds(Random(2'000'000'000, 2'100'000'000));
  Begin(after.record.context_id, after);
  const absl::Status status = store->UpdateContext(after.record);
  if (!status.ok()) return status;
  held->expected = std::move(after);
  Acknowledge();
  return status;
}

absl::Status StoreHistory::Remove(EntryStore* store, const std::string& context_id) {
  Begin(context_id, std::nullopt);
  const auto held = held_.extract(context_id);
  const absl::Status status = store->RemoveContext(held.mapped().expected.record);
  if (status.ok()) Acknowledge();
  return status;
}

}  // namespace winnow::testing
