#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/prepare.h"
#include "kernels/cpu/rows_ahead.h"

namespace winnow::kernels {
namespace {

constexpr int kLanes = 4;
constexpr int kScoreHeads = 4;
constexpr int kScoreVectors = 2;
constexpr int kLogitRows = 2;
constexpr int kLogitVectors = 4;
constexpr int kOutputHeads = 4;
constexpr int kOutputVectors = 2;

void DecodeFp8Pairs(const uint8_t* pairs, float* even, float* odd) {
  const float* const value_of = E4m3Values();
  for (int lane = 0; lane < 16; ++lane) {
    even[lane] = value_of[pairs[2 * lane]];
    odd[lane] = value_of[pairs[2 * lane + 1]];
  }
}

void DecodeFp8(const uint8_t* codes, int count, float* values) {
  const float* const value_of = E4m3Values();
  for (int i = 0; i < count; ++i) values[i] = value_of[codes[i]];
}

#include "kernels/cpu/vector_kernels.inc"

bool RunsHere() { return true; }

}  // namespace

const CpuVariant& PortableVariant() {
  static constexpr CpuVariant variant = {
      .name = "portable",
      .runs_here = RunsHere,
      .prepared_bytes = FloatQueryBytes,
      .prepare_row = PrepareFloatQueryRow,
      .enter = nullptr,
      .leave = nullptr,
      .score_scratch_bytes = ScoreScratchBytes,
      .score_page = ScorePage,
      .attend_scratch_bytes = AttendScratchBytes,
      .attend_part_bytes = PartBytes,
      .attend = Attend,
      .finish_attend = FinishHeads,
  };
  return variant;
}

}  // namespace winnow::kernels
