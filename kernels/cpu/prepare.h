#ifndef WINNOW_KERNELS_CPU_PREPARE_H_
#define WINNOW_KERNELS_CPU_PREPARE_H_

#include "kernels/backend.h"

namespace winnow::kernels {

// The query as floats [rows, heads, dim], which is what the vector kernels want of it.
size_t FloatQueryBytes(const ScoreQuery& query);
void PrepareFloatQueryRow(const ScoreQuery& query, int row, std::byte* prepared);

// The value of each e4m3 code, and its bits as bf16, which holds it exactly. [256]
const float* E4m3Values();
const uint16_t* E4m3Bf16Values();

// The value of each E2M1 code.
inline constexpr float kE2m1Values[16] = {0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                                          -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};

// 2^(code - 127), for any code but 255.
float Ue8m0ToFloat(uint8_t code);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_PREPARE_H_
