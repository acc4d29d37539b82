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

// By how much prepared int8 queries are too large: VNNI multiplies unsigned by signed bytes.
inline constexpr int kInt8Offset = 128;

size_t PreparedBytes(const ScoreQuery& query);
void PrepareRow(const ScoreQuery& query, int row, std::byte* prepared);
size_t ScoreScratchBytes(const ScoreQuery& query);
void ScorePage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* scores);
size_t AttendScratchBytes(const AttendParams& params, int heads);
size_t AttendPartBytes(const AttendParams& params);
void Attend(const AttendParams& params, const AttendTask& task, std::byte* scratch,
            std::byte* part);
void FinishAttend(const AttendParams& params, std::span<std::byte* const> parts, int first_head,
                  int heads);

}  // namespace avx512_bf16
}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_AVX512_BF16_H_
