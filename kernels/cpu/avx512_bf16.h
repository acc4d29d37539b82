#ifndef WINNOW_KERNELS_CPU_AVX512_BF16_H_
#define WINNOW_KERNELS_CPU_AVX512_BF16_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

// AVX-512 with the dot products of BF16 and VNNI, and the byte permutes of VBMI: Sapphire Rapids,
// Zen 4 and later.
const CpuVariant& Avx512Bf16Variant();

// Its parts; see CpuVariant.
namespace avx512_bf16 {

// By how much prepared query bytes are too large: VNNI multiplies unsigned by signed bytes.
inline constexpr int kInt8Offset = 128;
inline constexpr int kE2m1Offset = 16;  // of doubled values

// Powers of two that a key's scale gives to the query's, so that neither overflows.
inline constexpr int kMxFp4Shift = 12;

// Where the parts of a prepared MXFP4 query lie, in bytes after its doubled values + kE2m1Offset,
// [rows * heads, dim].
struct MxFp4Layout {
  explicit MxFp4Layout(const ScoreQuery& query);

  size_t exponents_at;     // [rows * heads, dim / 32] fp32
  size_t factors_at;       // [rows * heads, dim / 32] fp32
  size_t large_scales_at;  // uint32: whether a factor is not finite, so that exponents must be used
  size_t bytes;            // of all
};

size_t PreparedBytes(const ScoreQuery& query);
void Prepare(const ScoreQuery& query, std::byte* prepared);
size_t ScoreScratchBytes(const ScoreQuery& query);
void ScorePage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* scores);
size_t AttendScratchBytes(const AttendParams& params, int heads);
void Attend(const AttendParams& params, const AttendTask& task, std::byte* scratch,
            std::byte* part);

}  // namespace avx512_bf16
}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_AVX512_BF16_H_
