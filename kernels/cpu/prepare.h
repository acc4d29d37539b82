#ifndef WINNOW_KERNELS_CPU_PREPARE_H_
#define WINNOW_KERNELS_CPU_PREPARE_H_

#include "kernels/backend.h"

namespace winnow::kernels {

// The query as floats [rows, heads, dim], which is what the vector kernels want of it.
size_t FloatQueryBytes(const ScoreQuery& query);
void PrepareFloatQuery(const ScoreQuery& query, std::byte* prepared);

// The bits of an e4m3 value as bf16, which holds each exactly.
uint16_t E4m3ToBf16(uint8_t code);

float E4m3ToFloat(uint8_t code);

// 2^(code - 127), for any code but 255.
float Ue8m0ToFloat(uint8_t code);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_PREPARE_H_
