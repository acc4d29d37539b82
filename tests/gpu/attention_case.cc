#include "tests/gpu/attention_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "kernels/reference/reference_backend.h"
#include "tests/gpu/device_array.h"
#include "tests/kernels/output_spread.h"

namespace winnow::kernels::cuda {
namespace {

constexpr float kPoison = -7;

// Pointers to the rows of query row q, based at `rows`.
std::vector<const std::byte*> RowsOf(const AttentionCase& c, size_t q, const std::byte* rows) {
  std::vector<const std::byte*> pointers;
  for (int i = 0; i < c.row_counts[q]; ++i) {
    pointers.push_back(rows + c.first_row_at + (i == 0 ? c.first_moved_by : 0) +
                       (q + i) * RowBytes(c.format, c.latent_dim, c.rope_dim));
  }
  return pointers;
}

AttentionResult Empty(const AttentionCase& c) {
  const size_t heads = c.row_counts.size() * c.heads;
  return {std::vector<float>(heads * c.latent_dim, kPoison), std::vector<float>(heads, kPoison)};
}

// Query row q, whose results go to `out`.
AttendParams ParamsOf(const AttentionCase& c, const AttentionInputs& in, size_t q,
                      std::span<const std::byte* const> rows, AttentionResult* out) {
  const size_t head = q * c.heads;
  return {.format = c.format,
          .heads = c.heads,
          .latent_dim = c.latent_dim,
          .rope_dim = c.rope_dim,
          .softmax_scale = c.softmax_scale,
          .queries = &in.queries[head * (c.latent_dim + c.rope_dim) * 2],
          .rows = rows.data(),
          .row_count = static_cast<int>(rows.size()),
          .outputs = &out->outputs[head * c.latent_dim],
          .lse = &out->lse[head]};
}

bool LseAgrees(float got, float expected, double relative) {
  if (std::isinf(expected)) return got == expected;
  return std::abs(double{got} - expected) <= relative * std::max(1.0, std::abs(double{expected}));
}

}  // namespace

AttentionInputs RandomInputs(RandomData& random, const AttentionCase& c) {
  const int most = *std::max_element(c.row_counts.begin(), c.row_counts.end());
  const int queries = static_cast<int>(c.row_counts.size());
  AttentionInputs in = {random.Bf16(queries * c.heads * (c.latent_dim + c.rope_dim)),
                        random.Rows(c.format, c.latent_dim, c.rope_dim, most + queries)};
  in.rows.insert(in.rows.begin(), c.first_row_at, std::byte{0});
  return in;
}

void ScaleBf16(std::vector<std::byte>* values, const std::function<int(size_t)>& exponent) {
  for (size_t i = 0; i < values->size() / 2; ++i) {
    uint16_t bits;
    std::memcpy(&bits, &(*values)[2 * i], sizeof bits);
    const int field = (bits >> 7 & 0xff) + exponent(i);
    bits = field > 0 && field < 255 ? static_cast<uint16_t>((bits & 0x807f) | field << 7) : 0;
    std::memcpy(&(*values)[2 * i], &bits, sizeof bits);
  }
}

void ChangeScales(AttentionInputs* in, const std::function<float(int, int)>& factor) {
  constexpr int kScales = 4;
  constexpr size_t kScalesAt = 512;
  const size_t row_bytes = RowBytes(RowFormat::kFp8FlashMla, 512, 64);
  for (size_t row = 0; (row + 1) * row_bytes <= in->rows.size(); ++row) {
    float scales[kScales];
    std::byte* at = &in->rows[row * row_bytes + kScalesAt];
    std::memcpy(scales, at, sizeof scales);
    for (int i = 0; i < kScales; ++i) scales[i] *= factor(static_cast<int>(row), i);
    std::memcpy(at, scales, sizeof scales);
  }
}

AttentionResult Evaluate(DeviceApi& device, const CudaBackend& backend, const AttentionCase& c,
                         const AttentionInputs& in) {
  DeviceArray<std::byte> rows(device, in.rows);
  std::vector<std::vector<const std::byte*>> lists;
  for (size_t q = 0; q < c.row_counts.size(); ++q) lists.push_back(RowsOf(c, q, rows.data()));
  AttentionResult out = Empty(c);
  std::vector<AttendQuery> queries;
  for (size_t q = 0; q < lists.size(); ++q) {
    const size_t head = q * c.heads;
    queries.push_back({in.queries.data() + head * 2 * (c.latent_dim + c.rope_dim), lists[q],
                       out.outputs.data() + head * c.latent_dim, out.lse.data() + head});
  }
  Must(backend.TryAttend({.format = c.format,
                          .heads = c.heads,
                          .latent_dim = c.latent_dim,
                          .rope_dim = c.rope_dim,
                          .softmax_scale = c.softmax_scale,
                          .queries = queries}));
  return out;
}

Error Disagreement(const AttentionCase& c, const AttentionInputs& in, const AttentionResult& got,
                   double relative) {
  AttentionResult expected = Empty(c);
  WorkerPool pool(1);
  std::vector<double> spread;
  for (size_t head = 0; head < expected.lse.size(); ++head) {
    if (head % c.heads == 0) {
      const size_t q = head / c.heads;
      const auto rows = RowsOf(c, q, in.rows.data());
      const AttendParams params = ParamsOf(c, in, q, rows, &expected);
      ReferenceBackend()->SparseAttention(params, pool);
      spread = OutputSpread(params);
    }
    if (!LseAgrees(got.lse[head], expected.lse[head], relative)) {
      return "lse of head " + std::to_string(head) + " is " + std::to_string(got.lse[head]) +
             " instead of " + std::to_string(expected.lse[head]);
    }
    const float* want = &expected.outputs[head * c.latent_dim];
    double largest = 1e-30;
    for (int d = 0; d < c.latent_dim; ++d) largest = std::max(largest, std::abs(double{want[d]}));
    for (int d = 0; d < c.latent_dim; ++d) {
      const float value = got.outputs[head * c.latent_dim + d];
      const double of_dim = spread[head % c.heads * c.latent_dim + d];
      if (!(std::abs(double{value} - want[d]) <= relative * std::max(largest, 4 * of_dim))) {
        return "dim " + std::to_string(d) + " of head " + std::to_string(head) + " is " +
               std::to_string(value) + " instead of " + std::to_string(want[d]);
      }
    }
  }
  return "";
}

}  // namespace winnow::kernels::cuda
