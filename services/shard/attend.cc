#include "services/shard/attend.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/shard/gather_limit.h"
#include "storage/entry_store.h"
#include "storage/error.h"

namespace winnow::shard {
namespace {

// Rows of winners, and what keeps them readable.
struct WinnerRows {
  std::vector<std::vector<Place>> rows;  // [T]
  std::vector<std::shared_ptr<const PageSet>> page_sets;
  FetchedRows fetched;
  uint64_t cold = 0;
  uint64_t warm = 0;
};

// What a layer of a stripe holds for winners: pages in memory, or runs on disk.
struct LayerSource {
  uint32_t entries = 0;
  const PageSet* pages = nullptr;
  const StoredRange* stored = nullptr;
};

// Finds the places of winners; those of cold ones once the disk has been read.
class RowFinder {
 public:
  RowFinder(const Context& context, int layer) : context_(context), layer_(layer) {}

  absl::StatusOr<WinnerRows> Find(const Selection::Rows& winners, absl::Time deadline) {
    for (const std::vector<kernels::Candidate>& row : winners) {
      std::vector<Place>& places = found_.rows.emplace_back();
      places.reserve(row.size());
      for (const kernels::Candidate& winner : row) {
        if (absl::Status status = Add(winner.position, &places); !status.ok()) return status;
      }
    }
    if (absl::Status status = Fetch(deadline); !status.ok()) return status;
    return std::move(found_);
  }

 private:
  absl::Status Add(uint32_t position, std::vector<Place>* places) {
    const uint32_t offset = position % kStripeEntries;
    absl::StatusOr<const LayerSource*> source = FindSource(position / kStripeEntries);
    if (!source.ok()) return source.status();
    if (offset >= (*source)->entries) {
      return Error(absl::StatusCode::kOutOfRange, "LAYER_SHORT",
                   absl::StrCat("layer ", layer_, " of context ", context_.id(),
                                " does not hold the selected position ", position,
                                "; append it before attending"),
                   {{"layer", absl::StrCat(layer_)}, {"position", absl::StrCat(position)}});
    }
    if ((*source)->pages != nullptr) {
      places->push_back((*source)->pages->row(offset));
      if (places->back().device == nullptr) ++found_.warm;
      return absl::OkStatus();
    }
    // A run ends above each of its entries.
    const std::vector<StoredRun>& runs = (*source)->stored->runs;
    const auto run =
        std::upper_bound(runs.begin(), runs.end(), offset,
                         [](uint32_t entry, const StoredRun& r) { return entry < r.end; });
    cold_.push_back({.extent = run->extent.get(), .layer = layer_, .position = position});
    cold_places_.push_back({found_.rows.size() - 1, places->size()});
    places->push_back({});
    return absl::OkStatus();
  }

  // Good until the next one is looked for.
  absl::StatusOr<const LayerSource*> FindSource(uint32_t number) {
    auto [it, fresh] = sources_.try_emplace(number);
    LayerSource& source = it->second;
    if (!fresh) return &source;
    const std::shared_ptr<const Stripe> stripe = context_.FindStripe(number);
    source.entries = stripe == nullptr ? 0 : stripe->entries(layer_);
    if (source.entries == 0) return &source;
    absl::StatusOr<std::shared_ptr<const PageSet>> pages = stripe->Pages(layer_, Plane::kKv);
    if (!pages.ok()) return pages.status();
    if (*pages != nullptr) {
      source.pages = pages->get();
      found_.page_sets.push_back(*std::move(pages));
    } else {
      ranges_.push_back(stripe->Stored(layer_, 0, source.entries));
      source.stored = &ranges_.back();
    }
    return &source;
  }

  absl::Status Fetch(absl::Time deadline) {
    if (cold_.empty()) return absl::OkStatus();
    absl::StatusOr<FetchedRows> fetched =
        context_.store()->FetchRows(cold_, context_.profile().row_bytes(), deadline);
    if (!fetched.ok()) return fetched.status();
    found_.fetched = *std::move(fetched);
    found_.cold = cold_.size();
    for (size_t i = 0; i < cold_.size(); ++i) {
      const auto [row, index] = cold_places_[i];
      found_.rows[row][index].host = found_.fetched.rows()[i];
    }
    return absl::OkStatus();
  }

  const Context& context_;
  const int layer_;
  WinnerRows found_;
  absl::flat_hash_map<uint32_t, LayerSource> sources_;  // by stripe
  std::deque<StoredRange> ranges_;
  std::vector<RowRef> cold_;
  std::vector<std::pair<size_t, size_t>> cold_places_;  // in found_.rows
};

void Gather(const Profile& profile, const WinnerRows& found, AttendResult* result) {
  const size_t row_bytes = profile.row_bytes();
  size_t count = 0;
  for (const auto& row : found.rows) count += row.size();
  result->kv_rows.reserve(count * row_bytes);
  for (const auto& row : found.rows) {
    for (const Place& from : row) {
      result->kv_rows.append(reinterpret_cast<const char*>(from.host), row_bytes);
    }
  }
}

absl::Status PushDown(const Profile& profile, const Attend& call, const WinnerRows& found,
                      Compute& compute, AttendResult* result) {
  const size_t heads = found.rows.size() * profile.query_heads;
  result->outputs.resize(heads * profile.latent_dim);
  result->lse.resize(heads, -std::numeric_limits<float>::infinity());
  const auto is_empty = [](const auto& row) { return row.empty(); };
  if (std::ranges::all_of(found.rows, is_empty)) return absl::OkStatus();
  return compute.Attend({.profile = profile,
                         .queries = call.queries.data(),
                         .rows = found.rows,
                         .outputs = result->outputs.data(),
                         .lse = result->lse.data()});
}

absl::Status CheckShapes(const Profile& profile, const Attend& call, size_t rows) {
  if (call.layer >= profile.layers.size() || !profile.stores(static_cast<int>(call.layer))) {
    return InvalidField("layer", absl::StrCat(call.layer), "one that the profile stores");
  }
  const size_t expected = call.path == AttendPath::kPushDown
                              ? rows * profile.query_heads * profile.attend_query_bytes()
                              : 0;
  if (call.queries.size() != expected) {
    return InvalidField("queries", absl::StrCat(call.queries.size(), " bytes"),
                        absl::StrCat(expected, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AttendResult> AttendOver(const Context& context, const Attend& call,
                                        Selection::Rows winners, Compute& compute,
                                        absl::Time deadline) {
  const Profile& profile = context.profile();
  if (absl::Status status = CheckShapes(profile, call, winners.size()); !status.ok()) return status;
  const absl::Time start = absl::Now();
  AttendResult result;
  for (const auto& row : winners) result.counts.push_back(static_cast<uint32_t>(row.size()));
  if (call.path == AttendPath::kGather) {
    const auto rows = std::accumulate(result.counts.begin(), result.counts.end(), uint64_t{0});
    if (absl::Status status = CheckGatherBytes(rows, profile.row_bytes()); !status.ok()) {
      return status;
    }
  }
  if (call.path != AttendPath::kAuto) {
    absl::StatusOr<WinnerRows> found =
        RowFinder(context, static_cast<int>(call.layer)).Find(winners, deadline);
    if (!found.ok()) return found.status();
    result.cold_rows = found->cold;
    result.warm_rows = found->warm;
    if (found->cold != 0) result.cached_rows = found->fetched.cache_hits();
    if (call.path == AttendPath::kGather) {
      Gather(profile, *found, &result);
    } else {
      absl::Status status = PushDown(profile, call, *found, compute, &result);
      if (!status.ok()) return status;
    }
  }
  if (call.path == AttendPath::kGather || call.return_positions) {
    result.winners = std::move(winners);
  }
  result.attend_us = static_cast<uint64_t>(absl::ToInt64Microseconds(absl::Now() - start));
  return result;
}

}  // namespace winnow::shard
