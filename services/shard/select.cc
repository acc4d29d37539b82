#include "services/shard/select.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "services/shard/cold_scan.h"
#include "storage/error.h"

namespace winnow::shard {
namespace {

using kernels::kPageEntries;

absl::Status CheckShapes(const Profile& profile, const Select& call) {
  const size_t rows = call.visible_entries.size();
  if (rows < 1 || rows > kernels::kMaxQueryRows) {
    return InvalidField("visible_entries", absl::StrCat(rows, " rows"),
                        absl::StrCat("1..", kernels::kMaxQueryRows, " rows"));
  }
  if (call.layer >= profile.layers.size() || !profile.has_index(static_cast<int>(call.layer))) {
    return InvalidField("layer", absl::StrCat(call.layer), "one with its own index");
  }
  if (call.top_k < 1 || call.top_k > static_cast<uint32_t>(profile.top_k)) {
    return InvalidField("top_k", absl::StrCat(call.top_k), absl::StrCat("1..", profile.top_k));
  }
  const size_t heads = rows * profile.index_heads;
  const size_t query_bytes = heads * kernels::QueryBytes(profile.key_format, profile.index_dim);
  if (call.queries.size() != query_bytes) {
    return InvalidField("queries", absl::StrCat(call.queries.size(), " bytes"),
                        absl::StrCat(query_bytes, " bytes"));
  }
  if (call.weights.size() != heads * sizeof(float)) {
    return InvalidField("weights", absl::StrCat(call.weights.size(), " bytes"),
                        absl::StrCat(heads * sizeof(float), " bytes"));
  }
  if (std::adjacent_find(call.stripes.begin(), call.stripes.end(), std::greater_equal<>()) !=
      call.stripes.end()) {
    return InvalidField("stripes", "out of order", "ascending without repetition");
  }
  return absl::OkStatus();
}

// What a query scores: runs in memory with what keeps them readable, and ranges on disk.
struct Snapshot {
  std::vector<ScoreRun> runs;
  std::vector<std::shared_ptr<const PageSet>> page_sets;
  std::vector<std::unique_ptr<std::byte[]>> copies;
  std::vector<StoredRange> cold;
  uint64_t cold_entries = 0;
  uint64_t warm_pages = 0;
  uint64_t entries = 0;
};

// A page that may still grow is copied, so that the scan does not read what an append is writing.
const std::byte* CopyOpenPage(const Profile& profile, const std::byte* page, uint32_t entries,
                              Snapshot* snapshot) {
  constexpr size_t kAlignment = 64;
  const size_t bytes = kernels::KeyPageBytes(profile.key_format, profile.index_dim);
  std::vector<std::byte> keys(entries * profile.key_bytes());
  kernels::ExtractKeys(profile.key_format, profile.index_dim, page, 0, static_cast<int>(entries),
                       keys.data());
  snapshot->copies.push_back(std::make_unique<std::byte[]>(bytes + kAlignment));
  void* place = snapshot->copies.back().get();
  size_t space = bytes + kAlignment;
  auto* copy = static_cast<std::byte*>(std::align(kAlignment, bytes, place, space));
  kernels::ArrangeKeys(profile.key_format, profile.index_dim, keys.data(), 0,
                       static_cast<int>(entries), copy);
  return copy;
}

// Looks at single pages only where the device has no list of them.
void AddRun(const Profile& profile, uint32_t first_position, uint32_t needed,
            std::shared_ptr<const PageSet> page_set, Snapshot* snapshot) {
  ScoreRun run = {.first_position = first_position, .entries = needed, .set = page_set.get()};
  run.table = page_set->table(run.pages());
  snapshot->warm_pages += run.warm_pages();
  const uint32_t open_entries = needed % kPageEntries;
  if (run.table == nullptr && open_entries != 0) {
    const Place last = run.page(run.pages() - 1);
    if (last.device == nullptr) {
      run.open_page = CopyOpenPage(profile, last.host, open_entries, snapshot);
    }
  }
  snapshot->runs.push_back(run);
  snapshot->page_sets.push_back(std::move(page_set));
}

absl::Status AddStripe(const Profile& profile, int layer, const Stripe& stripe, uint32_t needed,
                       Snapshot* snapshot) {
  absl::StatusOr<std::shared_ptr<const PageSet>> pages = stripe.Pages(layer, Plane::kIndex);
  if (!pages.ok()) return pages.status();
  snapshot->entries += needed;
  if (*pages != nullptr) {
    AddRun(profile, stripe.number() * kStripeEntries, needed, *std::move(pages), snapshot);
  } else {
    snapshot->cold.push_back(stripe.Stored(layer, 0, needed));
    snapshot->cold_entries += needed;
  }
  return absl::OkStatus();
}

absl::StatusOr<Snapshot> TakeSnapshot(const Context& context, const Select& call) {
  Snapshot snapshot;
  std::vector<uint32_t> missing;
  const auto layer = static_cast<int>(call.layer);
  const uint32_t visible =
      *std::max_element(call.visible_entries.begin(), call.visible_entries.end());
  for (const uint32_t number : call.stripes) {
    const uint64_t start = uint64_t{number} * kStripeEntries;
    if (start >= visible) break;
    const auto needed = static_cast<uint32_t>(std::min<uint64_t>(kStripeEntries, visible - start));
    std::shared_ptr<const Stripe> stripe = context.FindStripe(number);
    if (stripe == nullptr || stripe->entries(layer) < needed) {
      missing.push_back(number);
      continue;
    }
    absl::Status status = AddStripe(context.profile(), layer, *stripe, needed, &snapshot);
    if (!status.ok()) return status;
  }
  if (missing.empty()) return snapshot;
  // As many as fit into a reply's trailer.
  constexpr size_t kShown = 16;
  const size_t shown = std::min(kShown, missing.size());
  const std::string rest =
      shown < missing.size() ? absl::StrCat(" and ", missing.size() - shown, " more") : "";
  missing.resize(shown);
  return Error(
      absl::StatusCode::kDataLoss, "MISSING_STRIPES",
      absl::StrCat("context ", context.id(), " lacks entries below ", visible, " of layer ",
                   call.layer, " in stripes ", absl::StrJoin(missing, ", "), rest),
      {{"stripes", absl::StrJoin(missing, ",")}});
}

// Scores part after part of what a query sees and keeps the best of all.
class Scorer {
 public:
  Scorer(const Profile& profile, const Select& call, Compute& compute,
         const std::atomic<bool>* deadline_passed)
      : call_(call), compute_(compute), deadline_passed_(deadline_passed) {
    // Copied because bytes of a message need not be aligned as floats.
    weights_.resize(call.weights.size() / sizeof(float));
    std::memcpy(weights_.data(), call.weights.data(), call.weights.size());
    query_ = {.format = profile.key_format,
              .rows = static_cast<int>(call.visible_entries.size()),
              .heads = profile.index_heads,
              .dim = profile.index_dim,
              .queries = call.queries.data(),
              .weights = weights_.data()};
    best_.resize(call.visible_entries.size());
  }

  absl::Status Score(std::span<const ScoreRun> runs) {
    kernels::ScoreTopKResult scored;
    absl::Status status = compute_.Score({.query = query_,
                                          .runs = runs,
                                          .visible_entries = call_.visible_entries,
                                          .k = static_cast<int>(call_.top_k),
                                          .cancelled = deadline_passed_},
                                         &scored);
    if (!status.ok()) return status;
    if (!scored.complete) {
      return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
                   "the deadline passed while entries were scored");
    }
    for (size_t row = 0; row < best_.size(); ++row) Merge(std::move(scored.selected[row]), row);
    return absl::OkStatus();
  }

  std::vector<std::vector<kernels::Candidate>> TakeBest() { return std::move(best_); }

 private:
  void Merge(std::vector<kernels::Candidate> found, size_t row) {
    std::vector<kernels::Candidate>& best = best_[row];
    if (best.empty()) {
      best = std::move(found);
      return;
    }
    std::vector<kernels::Candidate> merged;
    const std::span<const kernels::Candidate> lists[] = {best, found};
    kernels::MergeCandidates(lists, call_.top_k, &merged);
    best = std::move(merged);
  }

  const Select& call_;
  Compute& compute_;
  const std::atomic<bool>* const deadline_passed_;
  std::vector<float> weights_;
  kernels::ScoreQuery query_;
  std::vector<std::vector<kernels::Candidate>> best_;  // [T]
};

// The disk is read while what is in memory is scored.
absl::Status ScoreAll(const Context& context, const Snapshot& snapshot, absl::Time deadline,
                      Scorer* scorer) {
  std::optional<ColdScan> cold;
  if (!snapshot.cold.empty()) {
    cold.emplace(context.profile(), context.store(), snapshot.cold, deadline);
  }
  // Where there is nothing to score, nothing waits for the device behind others.
  if (!snapshot.runs.empty()) {
    if (absl::Status status = scorer->Score(snapshot.runs); !status.ok()) return status;
  }
  while (cold) {
    absl::StatusOr<std::vector<ColdScan::Chunk>> chunks = cold->Next();
    if (!chunks.ok()) return chunks.status();
    if (chunks->empty()) break;
    std::vector<ScoreRun> runs;
    for (const ColdScan::Chunk& chunk : *chunks) runs.push_back(chunk.run);
    std::ranges::sort(runs, {}, &ScoreRun::first_position);
    if (absl::Status status = scorer->Score(runs); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SelectResult> SelectFrom(const Context& context, const Select& call,
                                        Compute& compute, absl::Time deadline,
                                        const std::atomic<bool>* deadline_passed) {
  const Profile& profile = context.profile();
  if (absl::Status status = CheckShapes(profile, call); !status.ok()) return status;
  absl::StatusOr<Snapshot> snapshot = TakeSnapshot(context, call);
  if (!snapshot.ok()) return snapshot.status();
  const absl::Time start = absl::Now();
  Scorer scorer(profile, call, compute, deadline_passed);
  if (absl::Status status = ScoreAll(context, *snapshot, deadline, &scorer); !status.ok()) {
    return status;
  }
  return SelectResult{
      .candidates = scorer.TakeBest(),
      .entries_scanned = snapshot->entries,
      .index_bytes_read = snapshot->entries * profile.key_bytes(),
      .cold_index_bytes = snapshot->cold_entries * profile.key_bytes(),
      .score_us = static_cast<uint64_t>(absl::ToInt64Microseconds(absl::Now() - start)),
      .warm_pages = snapshot->warm_pages};
}

}  // namespace winnow::shard
