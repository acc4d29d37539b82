#include "tests/gpu/hard_cases.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace winnow::kernels::cuda {
namespace {

constexpr int kLatent = 512;
constexpr int kRope = 64;

// From one block of 64 rows to the next, by a power of two up or down.
HardCase ChangingRows(RandomData& random, HardCase hard, int sign) {
  hard.in = RandomInputs(random, hard.c);
  if (hard.c.format == RowFormat::kBf16) {
    ScaleBf16(&hard.in.rows,
              [&](size_t i) { return sign * static_cast<int>(i / (kLatent + kRope) / 50); });
  } else {
    ChangeScales(&hard.in,
                 [&](int row, int) { return std::exp2(static_cast<float>(sign * row) / 20); });
  }
  return hard;
}

// FlashMLA's rows, all of them with the same scale and a logit of -100 but one, whose logit is 0
// and whose scale is 2^-24 of the others'. Logits are those of a rope dim alone.
HardCase FaintWinner(RandomData& random, HardCase hard, size_t winner) {
  constexpr size_t kRowBytes = 512 + 4 * sizeof(float) + 2 * kRope;
  constexpr size_t kQueryBytes = 2 * (kLatent + kRope);
  hard.in = RandomInputs(random, hard.c);
  hard.in.queries.assign(hard.in.queries.size(), std::byte{0});
  for (size_t at = 2 * kLatent; at < hard.in.queries.size(); at += kQueryBytes) {
    PutBf16(1, &hard.in.queries[at]);
  }
  for (size_t row = 0; row * kRowBytes < hard.in.rows.size(); ++row) {
    std::byte* const scales = &hard.in.rows[row * kRowBytes + kLatent];
    std::byte* const rope = scales + 4 * sizeof(float);
    for (int i = 0; i < 4; ++i) PutFloat(row == winner ? 0x1.04p-24f : 1.0f, scales + 4 * i);
    std::fill_n(rope, 2 * kRope, std::byte{0});
    PutBf16(row == winner ? 0.0f : -100.0f, rope);
  }
  return hard;
}

}  // namespace

std::vector<HardCase> HardCases(RandomData& random, RowFormat format, int heads) {
  const auto of = [&](const char* name, std::vector<int> row_counts, float softmax_scale) {
    return HardCase{.name = name,
                    .c = {.format = format,
                          .heads = heads,
                          .latent_dim = kLatent,
                          .rope_dim = kRope,
                          .softmax_scale = softmax_scale,
                          .row_counts = std::move(row_counts)},
                    .in = {}};
  };
  constexpr float kUsual = 0.05f;
  const float mild = format == RowFormat::kBf16 ? 0.3f : 1e-4f;
  std::vector<HardCase> cases;
  cases.push_back(of("row counts around blocks", {63, 64, 65, 0, 127, 129, 1, 193, 257}, kUsual));
  cases.push_back(of("a sharp softmax", {300}, 30));
  for (const int first_row_at : {4, 8, 12}) {
    cases.push_back(of("rows that lie anywhere", {70, 200}, kUsual));
    cases.back().c.first_row_at = first_row_at;
  }
  if (format == RowFormat::kBf16) {
    cases.push_back(of("one row that lies anywhere", {70, 200}, kUsual));
    cases.back().c.first_moved_by = 4;
  }
  for (HardCase& hard : cases) hard.in = RandomInputs(random, hard.c);
  cases.push_back(ChangingRows(random, of("rows that grow", {320, 190}, mild), 1));
  cases.push_back(ChangingRows(random, of("rows that shrink", {320, 190}, mild), -1));
  if (format == RowFormat::kBf16) return cases;
  for (const size_t winner : {3, 70}) {
    cases.push_back(FaintWinner(random, of("a winner with a small scale", {130}, 1), winner));
  }
  return cases;
}

}  // namespace winnow::kernels::cuda
