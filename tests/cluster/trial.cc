#include "tests/cluster/trial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/backend.h"

namespace winnow::testing {

Profile SmallProfile(kernels::KeyFormat key_format, kernels::RowFormat row_format) {
  return {.name = "small",
          .key_format = key_format,
          .row_format = row_format,
          .index_heads = 8,
          .index_dim = 128,
          .latent_dim = 128,
          .rope_dim = 32,
          .query_heads = 4,
          .top_k = 100,
          .softmax_scale = 0.1f,
          .layers = {LayerKind::kOwn}};
}

client::IndexQuery TrialQuery::Index() const {
  return {.queries = index_queries, .weights = weights, .visible_entries = visible_entries};
}

client::AttendRequest TrialQuery::Request(client::AttendPath path) const {
  return {
      .layer = 0, .source = Index(), .queries = queries, .path = path, .return_selection = true};
}

Trial::Trial(const Profile& profile, int entries, uint64_t seed)
    : profile_(profile),
      entries_(entries),
      random_(seed),
      keys_(random_.Keys(profile.key_format, profile.index_dim, entries)),
      rows_(random_.Rows(profile.row_format, profile.latent_dim, profile.rope_dim, entries)),
      pages_(profile.key_format, profile.index_dim, keys_) {}

client::LayerEntries Trial::Entries(int start, int count) const {
  const std::span<const std::byte> keys = keys_;
  const std::span<const std::byte> rows = rows_;
  const size_t key_bytes = profile_.key_bytes();
  const size_t row_bytes = profile_.row_bytes();
  return {.layer = 0,
          .index_keys = keys.subspan(start * key_bytes, count * key_bytes),
          .kv_rows = rows.subspan(start * row_bytes, count * row_bytes)};
}

TrialQuery Trial::Query(std::vector<uint64_t> visible_entries) {
  const int rows = static_cast<int>(visible_entries.size());
  const int heads = rows * profile_.index_heads;
  return {.index_queries = random_.Queries(profile_.key_format, profile_.index_dim, heads),
          .weights = random_.Floats(heads, -0.5f, 1.0f),
          .visible_entries = std::move(visible_entries),
          .queries = random_.Bf16(rows * profile_.query_heads *
                                  (profile_.latent_dim + profile_.rope_dim))};
}

client::Context Trial::Load(client::Client& client, int chunk) const {
  auto fingerprint = client.RegisterProfile(profile_);
  EXPECT_TRUE(fingerprint.ok()) << fingerprint.status();
  auto context = client.CreateContext(*fingerprint);
  EXPECT_TRUE(context.ok()) << context.status();
  for (int start = 0; start < entries_; start += chunk) {
    const int count = std::min(chunk, entries_ - start);
    const client::LayerEntries entries = Entries(start, count);
    auto appended =
        context->Append(static_cast<uint64_t>(start), static_cast<uint32_t>(count), {&entries, 1});
    EXPECT_TRUE(appended.ok()) << appended.status();
  }
  return *context;
}

client::Selection Trial::Selected(const TrialQuery& query) const {
  std::vector<kernels::KeyPage> pages;
  for (int first = 0; first < entries_; first += kernels::kPageEntries) {
    pages.push_back(
        {.keys = pages_.page(static_cast<size_t>(first / kernels::kPageEntries)),
         .first_position = static_cast<uint32_t>(first),
         .entries = static_cast<uint32_t>(std::min(kernels::kPageEntries, entries_ - first))});
  }
  const std::vector<uint32_t> visible(query.visible_entries.begin(), query.visible_entries.end());
  kernels::WorkerPool pool(1);
  kernels::ScoreTopKResult result;
  kernels::ChooseBackend()->ScoreTopK({.query = {.format = profile_.key_format,
                                                 .rows = static_cast<int>(visible.size()),
                                                 .heads = profile_.index_heads,
                                                 .dim = profile_.index_dim,
                                                 .queries = query.index_queries.data(),
                                                 .weights = query.weights.data()},
                                       .pages = pages,
                                       .visible_entries = visible,
                                       .k = profile_.top_k,
                                       .cancelled = nullptr},
                                      pool, &result);
  client::Selection selection{.rows = static_cast<uint32_t>(visible.size()),
                              .top_k = static_cast<uint32_t>(profile_.top_k)};
  for (const auto& row : result.selected) {
    for (size_t i = 0; i < selection.top_k; ++i) {
      const bool there = i < row.size();
      selection.positions.push_back(there ? static_cast<int32_t>(row[i].position) : -1);
      selection.scores.push_back(there ? row[i].score : -std::numeric_limits<float>::infinity());
    }
  }
  return selection;
}

std::vector<float> Trial::Attention(const TrialQuery& query, bool reference) const {
  const client::Selection selection = Selected(query);
  const kernels::Backend* backend = kernels::ChooseBackend(reference ? "reference" : "");
  const size_t out_row = static_cast<size_t>(profile_.query_heads * profile_.latent_dim);
  std::vector<float> outputs(selection.rows * out_row);
  std::vector<float> lse(selection.rows * profile_.query_heads);
  kernels::WorkerPool pool(1);
  for (size_t t = 0; t < selection.rows; ++t) {
    std::vector<const std::byte*> rows;
    for (size_t i = t * selection.top_k; i < (t + 1) * selection.top_k; ++i) {
      if (selection.positions[i] < 0) break;
      rows.push_back(&rows_[static_cast<size_t>(selection.positions[i]) * profile_.row_bytes()]);
    }
    backend->SparseAttention(
        {.format = profile_.row_format,
         .heads = profile_.query_heads,
         .latent_dim = profile_.latent_dim,
         .rope_dim = profile_.rope_dim,
         .softmax_scale = profile_.softmax_scale,
         .queries = &query.queries[t * profile_.query_heads * profile_.attend_query_bytes()],
         .rows = rows.data(),
         .row_count = static_cast<int>(rows.size()),
         .outputs = &outputs[t * out_row],
         .lse = &lse[t * profile_.query_heads]},
        pool);
  }
  return outputs;
}

void ExpectSame(const client::Selection& actual, const client::Selection& expected) {
  EXPECT_EQ(actual.positions, expected.positions);
  ASSERT_EQ(actual.scores.size(), expected.scores.size());
  EXPECT_EQ(std::memcmp(actual.scores.data(), expected.scores.data(),
                        expected.scores.size() * sizeof(float)),
            0);
}

void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected,
                 float tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  float largest = 0;
  float worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    // A NaN must not pass for a small difference.
    ASSERT_TRUE(std::isfinite(actual[i])) << i;
    worst = std::max(worst, std::abs(actual[i] - expected[i]));
  }
  EXPECT_LE(worst, tolerance * largest);
}

}  // namespace winnow::testing
