#include "services/shard/attend.h"

#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/error.h"

namespace winnow::shard {
namespace {

// Rows of winners, and the stripes that keep them readable.
struct WinnerRows {
  std::vector<std::vector<Place>> rows;  // [T]
  std::map<uint32_t, std::shared_ptr<const Stripe>> stripes;
};

absl::StatusOr<WinnerRows> FindRows(const Context& context, int layer,
                                    const Selection::Rows& winners) {
  WinnerRows found;
  for (const std::vector<kernels::Candidate>& row : winners) {
    std::vector<Place>& places = found.rows.emplace_back();
    places.reserve(row.size());
    for (const kernels::Candidate& winner : row) {
      const uint32_t number = winner.position / kStripeEntries;
      const uint32_t offset = winner.position % kStripeEntries;
      auto [it, fresh] = found.stripes.try_emplace(number);
      if (fresh) it->second = context.FindStripe(number);
      const Stripe* stripe = it->second.get();
      const uint32_t held = stripe == nullptr ? 0 : stripe->entries(layer);
      if (offset >= held) {
        return Error(absl::StatusCode::kOutOfRange, "LAYER_SHORT",
                     absl::StrCat("layer ", layer, " of context ", context.id(),
                                  " does not hold the selected position ", winner.position,
                                  "; append it before attending"),
                     {{"layer", absl::StrCat(layer)}, {"position", absl::StrCat(winner.position)}});
      }
      places.push_back(stripe->KvRow(layer, offset));
    }
  }
  return found;
}

void Gather(const Profile& profile, const WinnerRows& found, AttendResult* result) {
  const size_t row_bytes = profile.row_bytes();
  size_t count = 0;
  for (const auto& row : found.rows) count += row.size();
  result->kv_rows.resize(count * row_bytes);
  std::byte* to = result->kv_rows.data();
  for (const auto& row : found.rows) {
    for (const Place& from : row) {
      std::memcpy(to, from.host, row_bytes);
      to += row_bytes;
    }
  }
}

absl::Status PushDown(const Profile& profile, const Attend& call, const WinnerRows& found,
                      Compute& compute, AttendResult* result) {
  const size_t heads = found.rows.size() * profile.query_heads;
  result->outputs.resize(heads * profile.latent_dim);
  result->lse.resize(heads);
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
                                        Selection::Rows winners, Compute& compute) {
  const Profile& profile = context.profile();
  if (absl::Status status = CheckShapes(profile, call, winners.size()); !status.ok()) return status;
  const absl::Time start = absl::Now();
  AttendResult result;
  for (const auto& row : winners) result.counts.push_back(static_cast<uint32_t>(row.size()));
  if (call.path != AttendPath::kAuto) {
    absl::StatusOr<WinnerRows> found = FindRows(context, static_cast<int>(call.layer), winners);
    if (!found.ok()) return found.status();
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
