#ifndef WINNOW_KERNELS_CPU_PREPARE_H_
#define WINNOW_KERNELS_CPU_PREPARE_H_

#include "kernels/backend.h"

namespace winnow::kernels {

// The query as floats [rows, heads, dim], which is what the vector kernels want of it.
size_t FloatQueryBytes(const ScoreQuery& query);
void PrepareFloatQuery(const ScoreQuery& query, std::byte* prepared);

// 2^(code - 127), for any code but 255.
float Ue8m0ToFloat(uint8_t code);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_PREPARE_H_
