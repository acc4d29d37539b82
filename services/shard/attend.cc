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
  std::vector<std::vector<const std::byte*>> rows;  // [T]
  std::map<uint32_t, std::shared_ptr<const Stripe>> stripes;
};

absl::StatusOr<WinnerRows> FindRows(const Context& context, int layer,
                                    const Selection::Rows& winners) {
  WinnerRows found;
  for (const std::vector<kernels::Candidate>& row : winners) {
    std::vector<const std::byte*>& pointers = found.rows.emplace_back();
    pointers.reserve(row.size());
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
      pointers.push_back(stripe->KvRow(layer, offset).host);
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
    for (const std::byte* from : row) {
      std::memcpy(to, from, row_bytes);
      to += row_bytes;
    }
  }
}

void PushDown(const Profile& profile, const Attend& call, const WinnerRows& found,
              const kernels::Backend& backend, kernels::WorkerPool& pool, AttendResult* result) {
  const size_t query_row_bytes = profile.query_heads * profile.attend_query_bytes();
  const size_t output_row = size_t{1} * profile.query_heads * profile.latent_dim;
  result->outputs.resize(found.rows.size() * output_row);
  result->lse.resize(found.rows.size() * profile.query_heads);
  for (size_t row = 0; row < found.rows.size(); ++row) {
    backend.SparseAttention({.format = profile.row_format,
                             .heads = profile.query_heads,
                             .latent_dim = profile.latent_dim,
                             .rope_dim = profile.rope_dim,
                             .softmax_scale = profile.softmax_scale,
                             .queries = call.queries.data() + row * query_row_bytes,
                             .rows = found.rows[row].data(),
                             .row_count = static_cast<int>(found.rows[row].size()),
                             .outputs = &result->outputs[row * output_row],
                             .lse = &result->lse[row * profile.query_heads]},
                            pool);
  }
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
                                        Selection::Rows winners, const kernels::Backend& backend,
                                        kernels::WorkerPool& pool) {
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
      PushDown(profile, call, *found, backend, pool, &result);
    }
  }
  if (call.path == AttendPath::kGather || call.return_positions) {
    result.winners = std::move(winners);
  }
  result.attend_us = static_cast<uint64_t>(absl::ToInt64Microseconds(absl::Now() - start));
  return result;
}

}  // namespace winnow::shard
