#ifndef WINNOW_TESTS_BENCH_PEAK_H_
#define WINNOW_TESTS_BENCH_PEAK_H_

#include <string>

#include "kernels/worker_pool.h"

namespace winnow::bench {

enum class Operand { kFp32, kBf16, kInt8, kInt4 };

// What the arithmetic units deliver when all operands are in registers.
struct Peak {
  double multiply_adds_per_second = 0;
  std::string unit;  // "amx", "avx512-bf16", "avx512-vnni", "avx2-maddubs", ... or "scalar"
};

// Of the fastest unit for such operands that this machine has, with all threads of the pool.
Peak MeasurePeak(Operand operand, kernels::WorkerPool& pool);

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_PEAK_H_
