#include <algorithm>

#include "services/shard/compute.h"

namespace winnow::shard {

absl::Status CpuCompute::Score(const ScoreWork& work, kernels::ScoreTopKResult* result) {
  std::vector<kernels::KeyPage> pages;
  pages.reserve(work.runs.size() * kStripePages);
  for (const ScoreRun& run : work.runs) {
    for (uint32_t at = 0; at < run.entries; at += kernels::kPageEntries) {
      pages.push_back({.keys = run.page(at / kernels::kPageEntries).host,
                       .first_position = run.first_position + at,
                       .entries = std::min<uint32_t>(kernels::kPageEntries, run.entries - at)});
    }
  }
  backend_.ScoreTopK({.query = work.query,
                      .pages = pages,
                      .visible_entries = work.visible_entries,
                      .k = work.k,
                      .cancelled = work.cancelled},
                     pool_, result);
  return absl::OkStatus();
}

absl::Status CpuCompute::Attend(const AttendWork& work) {
  const Profile& profile = work.profile;
  const size_t query_bytes = profile.query_heads * profile.attend_query_bytes();
  const size_t output_values = size_t{1} * profile.query_heads * profile.latent_dim;
  std::vector<const std::byte*> rows;
  for (size_t t = 0; t < work.rows.size(); ++t) {
    rows.clear();
    for (const Place& row : work.rows[t]) rows.push_back(row.host);
    backend_.SparseAttention({.format = profile.row_format,
                              .heads = profile.query_heads,
                              .latent_dim = profile.latent_dim,
                              .rope_dim = profile.rope_dim,
                              .softmax_scale = profile.softmax_scale,
                              .queries = work.queries + t * query_bytes,
                              .rows = rows.data(),
                              .row_count = static_cast<int>(rows.size()),
                              .outputs = work.outputs + t * output_values,
                              .lse = work.lse + t * profile.query_heads},
                             pool_);
  }
  return absl::OkStatus();
}

}  // namespace winnow::shard
