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

// One head's levels plus an offset, and what they stand for; returns the step.
float RoundHead(std::span<const uint8_t> codes, int extra_bits, int offset, std::byte* levels,
                float* values, float* rounded) {
  int exponent = 1;
  for (const uint8_t code : codes) exponent = std::max(exponent, E4m3Exponent(code));
  const float step = E4m3Step(exponent, extra_bits);
  const float inverse = 1 / step;  // of a power of two
  for (size_t d = 0; d < codes.size(); ++d) {
    values[d] = E4m3ToFloat(codes[d]);
    const float level = Nearest(values[d] * inverse);
    levels[d] = static_cast<std::byte>(static_cast<int>(level) + offset);
    rounded[d] = level * step;
  }
  return step;
}

}  // namespace

int E4m3Exponent(uint8_t code) { return std::max(1, (code & 0x7f) >> 3); }

float E4m3Step(int exponent, int extra_bits) {
  return std::ldexp(1.0f, exponent - 10 - extra_bits);
}

RoundedCode RoundCode(int magnitude, int exponent, int extra_bits) {
  constexpr int kLargestFinite = 0x7e;
  const float value = DecodeE4m3(static_cast<uint8_t>(std::min(magnitude, kLargestFinite)));
  const float steps =
      std::min(value / E4m3Step(exponent, extra_bits), static_cast<float>(15 << extra_bits));
  const float level = Nearest(steps);
  return {static_cast<uint8_t>(level), (steps - level) * (steps - level)};
}

// The workspace: a row's values and what they are rounded to, [2, heads, dim] fp32, and
// ScoreErrorFloats.
LevelledLayout::LevelledLayout(const ScoreQuery& query)
    : row_values(size_t{1} * query.heads * query.dim),
      weights_at(query.rows * row_values),
      errors_at(weights_at + sizeof(float) * query.rows * query.heads),
      workspace_at(errors_at + sizeof(ScoreError) * query.rows),
      bytes(workspace_at +
            sizeof(float) * (2 * row_values + ScoreErrorFloats(query.heads, query.dim))) {}

void PrepareLevelled(const ScoreQuery& query, int extra_bits, int offset, std::byte* prepared) {
  const LevelledLayout layout(query);
  const auto dim = static_cast<size_t>(query.dim);
  auto* const errors = reinterpret_cast<ScoreError*>(prepared + layout.errors_at);
  auto* const values = reinterpret_cast<float*>(prepared + layout.workspace_at);
  float* const rounded = values + layout.row_values;
  auto* weights = reinterpret_cast<float*>(prepared + layout.weights_at);
  const float* from_weights = query.weights;
  const auto* codes = reinterpret_cast<const uint8_t*>(query.queries);
  for (int row = 0; row < query.rows; ++row) {
    bool exact = true;  // that weights times steps are
    for (int head = 0; head < query.heads; ++head) {
      const size_t at = head * dim;
      const float step = RoundHead({codes + at, dim}, extra_bits, offset, prepared + at,
                                   values + at, rounded + at);
      weights[head] = from_weights[head] * step;
      exact = exact && weights[head] / step == from_weights[head];
    }
    const RoundedRow rounded_row = {query.heads, query.dim, values, rounded, from_weights};
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    errors[row] = exact ? BoundScoreError(rounded_row, rounded + layout.row_values)
                        : ScoreError{kInfinity, kInfinity};
    codes += layout.row_values;
    prepared += layout.row_values;
    weights += query.heads;
    from_weights += query.heads;
  }
}

}  // namespace winnow::kernels
