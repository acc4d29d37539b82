#include "kernels/reference/reference_backend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/formats.h"

namespace winnow::kernels {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

template <typename T>
double Dot(const T* a, const T* b, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// queries: [heads, dim] of one query row; key: [dim].
float Score(const double* queries, const float* weights, int heads, int dim, const double* key,
            float key_scale) {
  double sum = 0;
  for (int head = 0; head < heads; ++head) {
    const double dot = Dot(queries + static_cast<size_t>(head) * dim, key, dim);
    sum += static_cast<double>(weights[head]) * std::max(0.0, dot);
  }
  // Adding zero turns -0 into 0, so that equal scores have equal bits.
  const float score = static_cast<float>(sum * key_scale) + 0.0f;
  return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
}

class Reference final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }

  void ScoreTopK(const ScoreTopKParams& params, WorkerPool&,
                 ScoreTopKResult* result) const override {
    const ScoreQuery& q = params.query;
    const size_t query_bytes = QueryBytes(q.format, q.dim);
    const size_t key_bytes = KeyBytes(q.format, q.dim);
    std::vector<double> queries(static_cast<size_t>(q.rows) * q.heads * q.dim);
    for (int i = 0; i < q.rows * q.heads; ++i) {
      DecodeCodes(q.format, q.dim, q.queries + i * query_bytes, &queries[size_t{1} * i * q.dim]);
    }
    result->selected.assign(q.rows, {});
    result->complete = false;
    std::vector<std::byte> keys(kPageEntries * key_bytes);
    std::vector<double> key(q.dim);
    for (const KeyPage& page : params.pages) {
      if (params.cancelled != nullptr && params.cancelled->load()) return;
      ExtractKeys(q.format, q.dim, page.keys, 0, static_cast<int>(page.entries), keys.data());
      for (uint32_t i = 0; i < page.entries; ++i) {
        DecodeCodes(q.format, q.dim, &keys[i * key_bytes], key.data());
        const float scale = DecodeKeyScale(q.format, q.dim, &keys[i * key_bytes]);
        const uint32_t position = page.first_position + i;
        for (int row = 0; row < q.rows; ++row) {
          if (position >= params.visible_entries[row]) continue;
          const size_t first_head = static_cast<size_t>(row) * q.heads;
          result->selected[row].push_back(
              {Score(&queries[first_head * q.dim], q.weights + first_head, q.heads, q.dim,
                     key.data(), scale),
               position});
        }
      }
    }
    for (std::vector<Candidate>& row : result->selected) {
      std::sort(row.begin(), row.end(), Better);
      if (row.size() > static_cast<size_t>(params.k)) row.resize(params.k);
    }
    result->complete = true;
  }

  void SparseAttention(const AttendParams& params, WorkerPool&) const override {
    const int width = params.latent_dim + params.rope_dim;
    std::vector<float> rows(static_cast<size_t>(params.row_count) * width);
    for (int r = 0; r < params.row_count; ++r) {
      DecodeRow(params.format, params.latent_dim, params.rope_dim, params.rows[r],
                &rows[static_cast<size_t>(r) * width]);
    }
    std::vector<float> query(width);
    for (int head = 0; head < params.heads; ++head) {
      for (int d = 0; d < width; ++d) {
        query[d] = DecodeBf16(params.queries + (static_cast<size_t>(head) * width + d) * 2);
      }
      AttendHead(params, rows, query, head);
    }
  }

 private:
  static void AttendHead(const AttendParams& params, const std::vector<float>& rows,
                         const std::vector<float>& query, int head) {
    const auto width = static_cast<int>(query.size());
    std::vector<double> logits(params.row_count);
    double largest = kMinusInfinity;
    for (int r = 0; r < params.row_count; ++r) {
      logits[r] = static_cast<double>(params.softmax_scale) *
                  Dot(query.data(), &rows[static_cast<size_t>(r) * width], width);
      largest = std::max(largest, logits[r]);
    }
    double sum = 0;
    std::vector<double> out(params.latent_dim, 0.0);
    for (int r = 0; r < params.row_count; ++r) {
      const double p = std::exp(logits[r] - largest);
      sum += p;
      for (int d = 0; d < params.latent_dim; ++d) out[d] += p * rows[size_t{1} * r * width + d];
    }
    for (int d = 0; d < params.latent_dim; ++d) {
      params.outputs[size_t{1} * head * params.latent_dim + d] =
          params.row_count == 0 ? 0.0f : static_cast<float>(out[d] / sum);
    }
    params.lse[head] = params.row_count == 0 ? static_cast<float>(kMinusInfinity)
                                             : static_cast<float>(largest + std::log(sum));
  }
};

}  // namespace

const Backend* ReferenceBackend() {
  static const Reference backend;
  return &backend;
}

}  // namespace winnow::kernels
