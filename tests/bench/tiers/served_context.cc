#include "tests/bench/tiers/served_context.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <variant>

#include "absl/time/clock.h"

namespace winnow::bench {
namespace {

constexpr char kContext[] = "bench/tiers";
constexpr uint64_t kPlacementKey = 1;

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "bench_tiers: %s\n", result.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(result);
}

double SecondsSince(absl::Time start) { return absl::ToDoubleSeconds(absl::Now() - start); }

}  // namespace

ServedContext::ServedContext(const PositionalData& data, shard::Compute& compute,
                             std::string directory, uint64_t budget_bytes)
    : data_(data),
      compute_(compute),
      options_{.memory_budget_bytes = budget_bytes, .data_dir = std::move(directory)} {
  Open();
  Call<shard::Done>(shard::CreateContext{.context_id = kContext,
                                         .tenant = "bench",
                                         .profile = data.shared_profile(),
                                         .placement_key = kPlacementKey});
  incarnation_ = Describe().incarnation;
}

void ServedContext::Open() { shard_ = Must(shard::Shard::Open(options_, &compute_)); }

template <typename T>
T ServedContext::Call(const shard::Call& call) {
  return std::get<T>(Must(shard_->Handle(call, absl::InfiniteFuture())));
}

double ServedContext::Append(uint32_t entries) {
  const auto layers = static_cast<int>(data_.profile().layers.size());
  std::vector<std::vector<std::byte>> keys(layers), rows(layers);
  double seconds = 0;
  for (; entries_ < entries; entries_ += std::min(kStripeEntries, entries - entries_)) {
    const uint32_t count = std::min(kStripeEntries, entries - entries_);
    shard::Append call = {.context_id = kContext,
                          .incarnation = incarnation_,
                          .stripe = entries_ / kStripeEntries,
                          .count = count};
    for (int layer = 0; layer < layers; ++layer) {
      keys[layer].resize(count * data_.profile().key_bytes());
      rows[layer].resize(count * data_.profile().row_bytes());
      data_.Keys(layer, entries_, count, keys[layer].data());
      data_.Rows(layer, entries_, count, rows[layer].data());
      call.layers.push_back({.layer = layer, .index_keys = keys[layer], .kv_rows = rows[layer]});
    }
    const absl::Time start = absl::Now();
    Call<shard::AppendResult>(call);
    seconds += SecondsSince(start);
  }
  return seconds;
}

Answer ServedContext::Ask(const QueryWalk& query, int layer) {
  shard::Select select = {.context_id = kContext,
                          .incarnation = incarnation_,
                          .layer = static_cast<uint32_t>(layer),
                          .queries = query.index_queries(),
                          .weights = std::as_bytes(query.weights()),
                          .visible_entries = {entries_},
                          .top_k = static_cast<uint32_t>(data_.profile().top_k),
                          .selection_id = ++selection_};
  for (uint32_t stripe = 0; stripe * kStripeEntries < entries_; ++stripe) {
    select.stripes.push_back(stripe);
  }
  const absl::Time start = absl::Now();
  auto selected = Call<shard::SelectResult>(select);
  const double select_seconds = SecondsSince(start);
  const absl::Time attend_start = absl::Now();
  auto attended =
      Call<shard::AttendResult>(shard::Attend{.selection_id = selection_,
                                              .context_id = kContext,
                                              .incarnation = incarnation_,
                                              .layer = static_cast<uint32_t>(layer),
                                              .thresholds = {selected.candidates[0].back()},
                                              .path = shard::AttendPath::kPushDown,
                                              .queries = query.queries()});
  return {.selection_id = selection_,
          .selected = std::move(selected.candidates[0]),
          .outputs = std::move(attended.outputs),
          .select_seconds = select_seconds,
          .attend_seconds = SecondsSince(attend_start),
          .index_bytes = selected.index_bytes_read,
          .cold_index_bytes = selected.cold_index_bytes,
          .cold_rows = attended.cold_rows,
          .cached_rows = attended.cached_rows};
}

std::vector<std::byte> ServedContext::Gather(const Answer& answer, int layer) {
  const auto gathered =
      Call<shard::AttendResult>(shard::Attend{.selection_id = answer.selection_id,
                                              .context_id = kContext,
                                              .incarnation = incarnation_,
                                              .layer = static_cast<uint32_t>(layer),
                                              .path = shard::AttendPath::kGather});
  const auto rows = std::as_bytes(std::span(gathered.kv_rows));
  return {rows.begin(), rows.end()};
}

void ServedContext::Spill(bool index, bool kv) {
  Call<shard::TierResult>(shard::Tier{.action = shard::TierAction::kSpill,
                                      .context_id = kContext,
                                      .incarnation = incarnation_,
                                      .index = index,
                                      .kv = kv,
                                      .stripes = entries_ / kStripeEntries + 1});
}

shard::ContextState ServedContext::Describe() {
  return Call<shard::ContextState>(shard::Describe{.context_id = kContext});
}

uint64_t ServedContext::DiskBytes() { return Call<shard::PingResult>(shard::Ping{}).disk_bytes; }

shard::RecoveryReport ServedContext::Restart() {
  shard_ = nullptr;
  Open();
  return shard_->recovery();
}

}  // namespace winnow::bench
