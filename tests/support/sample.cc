#include "tests/support/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "storage/error.h"

namespace winnow::testing {

Profile TinyProfile(std::vector<LayerKind> layers) {
  return {.name = "tiny",
          .key_format = kernels::KeyFormat::kFp8E4M3,
          .row_format = kernels::RowFormat::kBf16,
          .index_heads = 2,
          .index_dim = 32,
          .latent_dim = 32,
          .rope_dim = 16,
          .query_heads = 2,
          .top_k = 20,
          .softmax_scale = 0.2f,
          .layers = std::move(layers)};
}

Sample::Sample(const Profile& profile, uint32_t entries, uint64_t seed)
    : profile_(std::make_shared<const Profile>(profile)),
      entries_(entries),
      random_(seed),
      keys_(profile.layers.size()),
      rows_(profile.layers.size()) {
  const int count = static_cast<int>(entries);
  for (size_t i = 0; i < profile.layers.size(); ++i) {
    const int layer = static_cast<int>(i);
    if (profile.has_index(layer)) {
      keys_[i] = random_.Keys(profile.key_format, profile.index_dim, count);
    }
    if (profile.stores(layer)) {
      rows_[i] = random_.Rows(profile.row_format, profile.latent_dim, profile.rope_dim, count);
    }
  }
}

LayerBytes Sample::Layer(int layer, uint32_t start, uint32_t count) const {
  const size_t row_bytes = profile_->row_bytes();
  LayerBytes bytes{
      .layer = layer,
      .kv_rows = std::span(rows_[layer]).subspan(start * row_bytes, count * row_bytes)};
  if (profile_->has_index(layer)) {
    const size_t key_bytes = profile_->key_bytes();
    bytes.index_keys = std::span(keys_[layer]).subspan(start * key_bytes, count * key_bytes);
  }
  return bytes;
}

std::vector<LayerBytes> Sample::Layers(uint32_t start, uint32_t count) const {
  std::vector<LayerBytes> layers;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const int layer = static_cast<int>(i);
    if (profile_->stores(layer)) layers.push_back(Layer(layer, start, count));
  }
  return layers;
}

std::span<const std::byte> Sample::KvRow(int layer, uint32_t position) const {
  return Layer(layer, position, 1).kv_rows;
}

SampleQuery Sample::Query(std::vector<uint32_t> visible_entries) {
  const int rows = static_cast<int>(visible_entries.size());
  const int heads = rows * profile_->index_heads;
  return {.index_queries = random_.Queries(profile_->key_format, profile_->index_dim, heads),
          .weights = random_.Floats(heads, -0.5f, 1.0f),
          .visible_entries = std::move(visible_entries),
          .queries = random_.Bf16(rows * profile_->query_heads *
                                  (profile_->latent_dim + profile_->rope_dim))};
}

CandidateRows Sample::Selected(const SampleQuery& query, int layer, uint32_t top_k,
                               const kernels::Backend* backend) const {
  const kernels::PagedKeys paged(profile_->key_format, profile_->index_dim, keys_[layer]);
  std::vector<kernels::KeyPage> pages;
  for (uint32_t first = 0; first < entries_; first += kernels::kPageEntries) {
    pages.push_back({.keys = paged.page(first / kernels::kPageEntries),
                     .first_position = first,
                     .entries = std::min<uint32_t>(kernels::kPageEntries, entries_ - first)});
  }
  kernels::WorkerPool pool(1);
  kernels::ScoreTopKResult result;
  backend->ScoreTopK({.query = {.format = profile_->key_format,
                                .rows = static_cast<int>(query.visible_entries.size()),
                                .heads = profile_->index_heads,
                                .dim = profile_->index_dim,
                                .queries = query.index_queries.data(),
                                .weights = query.weights.data()},
                      .pages = pages,
                      .visible_entries = query.visible_entries,
                      .k = top_k == 0 ? profile_->top_k : static_cast<int>(top_k),
                      .cancelled = nullptr},
                     pool, &result);
  EXPECT_TRUE(result.complete);
  return result.selected;
}

Attention Sample::Attended(const SampleQuery& query, const CandidateRows& selected, int layer,
                           const kernels::Backend* backend) const {
  const size_t heads = profile_->query_heads;
  const size_t query_row_bytes = heads * profile_->attend_query_bytes();
  Attention attention{std::vector<float>(selected.size() * heads * profile_->latent_dim),
                      std::vector<float>(selected.size() * heads)};
  kernels::WorkerPool pool(1);
  for (size_t t = 0; t < selected.size(); ++t) {
    std::vector<const std::byte*> rows;
    for (const kernels::Candidate& winner : selected[t]) {
      rows.push_back(KvRow(layer, winner.position).data());
    }
    backend->SparseAttention({.format = profile_->row_format,
                              .heads = profile_->query_heads,
                              .latent_dim = profile_->latent_dim,
                              .rope_dim = profile_->rope_dim,
                              .softmax_scale = profile_->softmax_scale,
                              .queries = query.queries.data() + t * query_row_bytes,
                              .rows = rows.data(),
                              .row_count = static_cast<int>(rows.size()),
                              .outputs = &attention.outputs[t * heads * profile_->latent_dim],
                              .lse = &attention.lse[t * heads]},
                             pool);
  }
  return attention;
}

void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected,
                 float tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(std::isfinite(actual[i])) << i;
    ASSERT_LE(std::abs(actual[i] - expected[i]), tolerance) << i;
  }
}

void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& reason) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(ErrorReason(status), reason) << status;
}

}  // namespace winnow::testing
