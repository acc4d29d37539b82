#include "services/shard/select.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
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

// The pages that a query scores, and what keeps them readable.
struct Snapshot {
  std::vector<StoredPage> pages;
  std::vector<std::shared_ptr<const Stripe>> stripes;
  std::vector<std::unique_ptr<std::byte[]>> copies;
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

void AddPages(const Context& context, int layer, uint32_t first_position, uint32_t needed,
              std::shared_ptr<const Stripe> stripe, Snapshot* snapshot) {
  for (uint32_t at = 0; at < needed; at += kPageEntries) {
    const uint32_t entries = std::min<uint32_t>(kPageEntries, needed - at);
    Place keys = stripe->KeyPage(layer, at / kPageEntries);
    if (entries < kPageEntries) {
      keys.host = CopyOpenPage(context.profile(), keys.host, entries, snapshot);
    }
    snapshot->pages.push_back(
        {.keys = keys, .first_position = first_position + at, .entries = entries});
  }
  snapshot->entries += needed;
  snapshot->stripes.push_back(std::move(stripe));
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
    AddPages(context, layer, static_cast<uint32_t>(start), needed, std::move(stripe), &snapshot);
  }
  if (missing.empty()) return snapshot;
  return Error(absl::StatusCode::kDataLoss, "MISSING_STRIPES",
               absl::StrCat("context ", context.id(), " lacks entries below ", visible,
                            " of layer ", call.layer, " in stripes ", absl::StrJoin(missing, ", ")),
               {{"stripes", absl::StrJoin(missing, ",")}});
}

}  // namespace

absl::StatusOr<SelectResult> SelectFrom(const Context& context, const Select& call,
                                        Compute& compute,
                                        const std::atomic<bool>* deadline_passed) {
  const Profile& profile = context.profile();
  if (absl::Status status = CheckShapes(profile, call); !status.ok()) return status;
  absl::StatusOr<Snapshot> snapshot = TakeSnapshot(context, call);
  if (!snapshot.ok()) return snapshot.status();
  // Copied because bytes of a message need not be aligned as floats.
  std::vector<float> weights(call.weights.size() / sizeof(float));
  std::memcpy(weights.data(), call.weights.data(), call.weights.size());
  const absl::Time start = absl::Now();
  kernels::ScoreTopKResult scored;
  absl::Status status =
      compute.Score({.query = {.format = profile.key_format,
                               .rows = static_cast<int>(call.visible_entries.size()),
                               .heads = profile.index_heads,
                               .dim = profile.index_dim,
                               .queries = call.queries.data(),
                               .weights = weights.data()},
                     .pages = snapshot->pages,
                     .visible_entries = call.visible_entries,
                     .k = static_cast<int>(call.top_k),
                     .cancelled = deadline_passed},
                    &scored);
  if (!status.ok()) return status;
  if (!scored.complete) {
    return Error(
        absl::StatusCode::kDeadlineExceeded, "DEADLINE",
        absl::StrCat("the deadline passed while ", snapshot->entries, " entries were scored"));
  }
  return SelectResult{
      .candidates = std::move(scored.selected),
      .entries_scanned = snapshot->entries,
      .index_bytes_read = snapshot->entries * profile.key_bytes(),
      .score_us = static_cast<uint64_t>(absl::ToInt64Microseconds(absl::Now() - start))};
}

}  // namespace winnow::shard
