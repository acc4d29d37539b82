#include "kernels/cpu/sieve_query.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "kernels/cpu/prepare.h"
#include "kernels/reference/formats.h"

namespace winnow::kernels {
namespace {

// The nearest whole number, to even: what is below 2^22 loses what is after the point.
float Nearest(float x) {
  constexpr float kUnits = 12582912;  // 1.5 * 2^23
  return (x + kUnits) - kUnits;
}

// A head's values; returns the step of their levels.
float DecodeE4m3Head(std::span<const uint8_t> codes, int extra_bits, float* values) {
  const float* const value_of = E4m3Values();
  int exponent = 1;
  for (size_t d = 0; d < codes.size(); ++d) {
    exponent = std::max(exponent, E4m3Exponent(codes[d]));
    values[d] = value_of[codes[d]];
  }
  return E4m3Step(exponent, extra_bits);
}

// Of dim / 2 bytes of codes, then the scales.
float DecodeMxFp4Head(std::span<const uint8_t> head, int dim, int extra_bits, float* values) {
  const std::span<const uint8_t> scales = head.subspan(dim / 2);
  for (int d = 0; d < dim; ++d) {
    const uint8_t code = head[d / 2];
    values[d] = kE2m1Values[d % 2 == 0 ? code & 0xf : code >> 4] * Ue8m0ToFloat(scales[d / 32]);
  }
  return MxFp4Step(*std::ranges::max_element(scales), extra_bits);
}

// Whether the scales of all values but zeros can be sieved, and the largest of all.
bool HasSievedScales(std::span<const uint8_t> head, int dim) {
  constexpr size_t kBlockBytes = 32 / 2;
  constexpr uint8_t kMagnitudes = 0x77;
  const std::span<const uint8_t> scales = head.subspan(dim / 2);
  for (size_t block = 0; block < scales.size(); ++block) {
    const bool has_values =
        std::ranges::any_of(head.subspan(block * kBlockBytes, kBlockBytes),
                            [](uint8_t pair) { return (pair & kMagnitudes) != 0; });
    if (scales[block] > kMostSievedScale) return false;
    if (has_values && scales[block] < kLeastSievedScale) return false;
  }
  return *std::ranges::max_element(scales) >= kLeastSievedScale;
}

// Whole numbers, of which a query whose steps are 1 loses nothing.
float DecodeInt8Head(std::span<const uint8_t> codes, float* values) {
  for (size_t d = 0; d < codes.size(); ++d) values[d] = static_cast<int8_t>(codes[d]);
  return 1;
}

// Of magnitudes of levels; see LevelRange::most_in_sum.
float MostInSum(std::span<const float> values, float step) {
  constexpr size_t kSummedDims = 32;
  const float inverse = 1 / step;
  float most = 0;
  for (size_t first = 0; first < values.size(); first += kSummedDims) {
    float sums[2] = {};
    for (size_t d = first; d < first + kSummedDims; ++d) {
      sums[d / 2 % 2] += std::abs(Nearest(values[d] * inverse));
    }
    most = std::max({most, sums[0], sums[1]});
  }
  return most;
}

// The step, or a multiple of it that makes levels small enough.
float FittingStep(std::span<const float> values, float step, const LevelRange& range) {
  if (range.most_in_sum == std::numeric_limits<int>::max()) return step;
  while (MostInSum(values, step) > static_cast<float>(range.most_in_sum)) step *= 2;
  return step;
}

// Levels plus an offset, and what they stand for.
void RoundHead(std::span<const float> values, float step, int offset, std::byte* levels,
               float* rounded) {
  const float inverse = 1 / step;  // of a power of two
  for (size_t d = 0; d < values.size(); ++d) {
    const float level = Nearest(values[d] * inverse);
    levels[d] = static_cast<std::byte>(static_cast<int>(level) + offset);
    rounded[d] = level * step;
  }
}

// Whether weights times a row's values are neither so large that sums of a key's scores could
// overflow on the way where sums of levels do not, nor so small that a bound's terms vanish.
bool HasSievedWeights(const ScoreQuery& query, const float* weights, const float* values) {
  constexpr float kMostOfE4m3 = 448;
  const double most_of_key = query.format == KeyFormat::kMxFp4
                                 ? std::ldexp(6.0, kMostSievedScale - 127)
                                 : double{kMostOfE4m3};  // more than int8's
  double sum = 0;
  for (int head = 0; head < query.heads; ++head) {
    for (int d = 0; d < query.dim; ++d) {
      sum += std::abs(double{weights[head]} * values[head * query.dim + d]);
    }
  }
  return sum == 0 || (sum > 0x1p-60 && sum * most_of_key < 0x1p126);
}

}  // namespace

int E4m3Exponent(uint8_t code) { return std::max(1, (code & 0x7f) >> 3); }

float E4m3Step(int exponent, int extra_bits) {
  return std::ldexp(1.0f, exponent - 10 - extra_bits);
}

float MxFp4Step(int scale_code, int extra_bits) {
  return std::ldexp(1.0f, scale_code - 127 - 1 - extra_bits);
}

RoundedCode RoundCode(int magnitude, int exponent, int extra_bits) {
  constexpr int kLargestFinite = 0x7e;
  const float value = DecodeE4m3(static_cast<uint8_t>(std::min(magnitude, kLargestFinite)));
  const float steps =
      std::min(value / E4m3Step(exponent, extra_bits), static_cast<float>(15 << extra_bits));
  const float level = Nearest(steps);
  return {static_cast<uint8_t>(level), (steps - level) * (steps - level)};
}

LevelledLayout::LevelledLayout(const ScoreQuery& query)
    : row_values(size_t{1} * query.heads * query.dim),
      weights_at(query.rows * row_values),
      errors_at(weights_at + sizeof(float) * query.rows * query.heads),
      bytes(errors_at + sizeof(ScoreError) * query.rows) {}

// A row's values and what they are rounded to, [2, heads, dim] fp32, and ScoreErrorFloats.
size_t LevelledWorkspaceBytes(const ScoreQuery& query) {
  return sizeof(float) *
         (2 * LevelledLayout(query).row_values + ScoreErrorFloats(query.heads, query.dim));
}

void PrepareLevelledRow(const ScoreQuery& query, int row, const LevelRange& range,
                        std::byte* prepared, std::byte* workspace) {
  const LevelledLayout layout(query);
  const auto dim = static_cast<size_t>(query.dim);
  const size_t head_bytes = QueryBytes(query.format, query.dim);
  const size_t first_head = size_t{1} * row * query.heads;
  auto* const values = reinterpret_cast<float*>(workspace);
  float* const rounded = values + layout.row_values;
  auto* const weights = reinterpret_cast<float*>(prepared + layout.weights_at) + first_head;
  const float* const from_weights = query.weights + first_head;
  std::byte* const levels = prepared + row * layout.row_values;
  const auto* codes = reinterpret_cast<const uint8_t*>(query.queries + first_head * head_bytes);
  bool exact = true;  // that weights times steps are, of heads that can be sieved
  for (int head = 0; head < query.heads; ++head, codes += head_bytes) {
    const size_t at = head * dim;
    const std::span<const uint8_t> head_codes(codes, head_bytes);
    float step = 1;
    if (query.format == KeyFormat::kFp8E4M3) {
      step = DecodeE4m3Head(head_codes, range.extra_bits, values + at);
    } else if (query.format == KeyFormat::kInt8) {
      step = DecodeInt8Head(head_codes, values + at);
    } else if (HasSievedScales(head_codes, query.dim)) {
      step = DecodeMxFp4Head(head_codes, query.dim, range.extra_bits, values + at);
    } else {
      std::fill_n(values + at, dim, 0.0f);
      exact = false;
    }
    step = FittingStep({values + at, dim}, step, range);
    weights[head] = from_weights[head] * step;
    exact &= weights[head] / step == from_weights[head];
    RoundHead({values + at, dim}, step, range.offset, levels + at, rounded + at);
  }
  exact &= HasSievedWeights(query, from_weights, values);
  const RoundedRow rounded_row = {query.heads, query.dim, values, rounded, from_weights};
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  reinterpret_cast<ScoreError*>(prepared + layout.errors_at)[row] =
      exact ? BoundScoreError(rounded_row, rounded + layout.row_values)
            : ScoreError{kInfinity, kInfinity};
}

}  // namespace winnow::kernels
