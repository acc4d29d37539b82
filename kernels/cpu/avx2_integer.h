#ifndef WINNOW_KERNELS_CPU_AVX2_INTEGER_H_
#define WINNOW_KERNELS_CPU_AVX2_INTEGER_H_

#include <cstddef>

#include "kernels/backend.h"
#include "kernels/cpu/sieve.h"

// Scores of int8 and MXFP4 keys from products of integers, which AVX2 makes two and four times as
// many of as in fp32; see CpuVariant.
namespace winnow::kernels::avx2_integer {

// Whether there are integers for the format.
bool Suits(KeyFormat format);

size_t PreparedBytes(const ScoreQuery& query);
void PrepareRow(const ScoreQuery& query, int row, std::byte* prepared);
size_t ScoreScratchBytes(const ScoreQuery& query);

// Of MXFP4 queries, scores of rows with large scales (HasLargeScales) are worth nothing.
void ScorePage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* scores);

}  // namespace winnow::kernels::avx2_integer

#endif  // WINNOW_KERNELS_CPU_AVX2_INTEGER_H_
