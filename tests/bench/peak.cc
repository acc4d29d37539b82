#include "tests/bench/peak.h"

#include <cstdint>
#include <cstdlib>
#include <span>

#include "tests/bench/timing.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/cpu/amx.h"
#endif

namespace winnow::bench {
namespace {

constexpr int kRounds = 100'000;
// Independent sums, enough to hide the latency of every unit below.
constexpr int kSums = 12;

struct Unit {
  const char* name;
  Operand operand;
  bool (*runs_here)();
  double multiply_adds_per_round;
  void (*run)();
};

// Makes the compiler believe that a register was read and written. Sums go through it at the start
// as well, or it would see that they are all equal and keep one.
template <typename T>
inline void Touch(T& value) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(value));
#else
  asm volatile("" : "+w"(value));
#endif
}

void RunScalar() {
  float sums[kSums] = {};
  for (float& sum : sums) Touch(sum);
  float a = 1e-3f;
  for (int round = 0; round < kRounds; ++round) {
    Touch(a);
#pragma GCC unroll 12
    for (float& sum : sums) sum += a * 1e-3f;
  }
  for (float& sum : sums) Touch(sum);
}

bool Always() { return true; }

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) void RunAvx2Fma() {
  __m256 sums[kSums] = {};
  for (__m256& sum : sums) Touch(sum);
  __m256 a = _mm256_set1_ps(1e-3f);
  for (int round = 0; round < kRounds; ++round) {
    Touch(a);
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(a, a, sum);
  }
  for (__m256& sum : sums) Touch(sum);
}

// Products of int16, or of bytes that are so small that their sums fit an int16, are one
// instruction and their sum another.
__attribute__((target("avx2"))) void RunAvx2Madd() {
  __m256i sums[kSums] = {};
  for (__m256i& sum : sums) Touch(sum);
  const __m256i a = _mm256_set1_epi16(1);
  for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) {
      __m256i product;
      asm volatile("vpmaddwd %2, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a));
    }
  }
  for (__m256i& sum : sums) Touch(sum);
}

__attribute__((target("avx2"))) void RunAvx2Maddubs() {
  __m256i sums[kSums] = {};
  for (__m256i& sum : sums) Touch(sum);
  const __m256i a = _mm256_set1_epi8(1);
  for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) {
      __m256i product;
      asm volatile("vpmaddubsw %2, %2, %1\n\tvpaddw %1, %0, %0"
                   : "+x"(sum), "=&x"(product)
                   : "x"(a));
    }
  }
  for (__m256i& sum : sums) Touch(sum);
}

__attribute__((target("avx512f"))) void RunAvx512Fma() {
  __m512 sums[kSums] = {};
  for (__m512& sum : sums) Touch(sum);
  __m512 a = _mm512_set1_ps(1e-3f);
  for (int round = 0; round < kRounds; ++round) {
    Touch(a);
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(a, a, sum);
  }
  for (__m512& sum : sums) Touch(sum);
}

__attribute__((target("avx512f,avx512bf16"))) void RunAvx512Bf16() {
  __m512 sums[kSums] = {};
  for (__m512& sum : sums) Touch(sum);
  __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1e-3f), _mm512_set1_ps(1e-3f));
  for (int round = 0; round < kRounds; ++round) {
    Touch(a);
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, a, a);
  }
  for (__m512& sum : sums) Touch(sum);
}

__attribute__((target("avx512f,avx512vnni"))) void RunAvx512Vnni() {
  __m512i sums[kSums] = {};
  for (__m512i& sum : sums) Touch(sum);
  __m512i a = _mm512_set1_epi32(0x01010101);
  for (int round = 0; round < kRounds; ++round) {
    Touch(a);
#pragma GCC unroll 12
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, a);
  }
  for (__m512i& sum : sums) Touch(sum);
}

// A matrix unit's 16 x 16 sums take 4 tiles; that many hide its latency.
constexpr int kTileSums = 4;

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
};

template <typename MultiplyFn>
void RunTiles(MultiplyFn multiply) {
  static constexpr TileConfig config;
  asm volatile("ldtilecfg %0" : : "m"(config));
  asm volatile("tilezero %tmm0; tilezero %tmm1; tilezero %tmm2");
  asm volatile("tilezero %tmm3; tilezero %tmm4; tilezero %tmm5");
  for (int round = 0; round < kRounds; ++round) multiply();
  asm volatile("tilerelease");
}

void RunAmxBf16() {
  RunTiles([] {
    asm volatile(
        "tdpbf16ps %tmm4, %tmm5, %tmm0; tdpbf16ps %tmm4, %tmm5, %tmm1;"
        "tdpbf16ps %tmm4, %tmm5, %tmm2; tdpbf16ps %tmm4, %tmm5, %tmm3");
  });
}

void RunAmxInt8() {
  RunTiles([] {
    asm volatile(
        "tdpbssd %tmm4, %tmm5, %tmm0; tdpbssd %tmm4, %tmm5, %tmm1;"
        "tdpbssd %tmm4, %tmm5, %tmm2; tdpbssd %tmm4, %tmm5, %tmm3");
  });
}

bool HasAmx() { return kernels::AmxVariant().runs_here(); }
bool HasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool HasAvx512() { return __builtin_cpu_supports("avx512f"); }
bool HasAvx512Bf16() { return HasAvx512() && __builtin_cpu_supports("avx512bf16"); }
bool HasAvx512Vnni() { return HasAvx512() && __builtin_cpu_supports("avx512vnni"); }

// The fastest first. Sums times the multiply-adds of one instruction.
constexpr Unit kUnits[] = {
    {"amx-int8", Operand::kInt8, HasAmx, kTileSums * 16 * 16 * 64, RunAmxInt8},
    {"amx-bf16", Operand::kBf16, HasAmx, kTileSums * 16 * 16 * 32, RunAmxBf16},
    {"avx512-vnni", Operand::kInt8, HasAvx512Vnni, kSums * 64, RunAvx512Vnni},
    {"avx512-bf16", Operand::kBf16, HasAvx512Bf16, kSums * 32, RunAvx512Bf16},
    {"avx512-fma", Operand::kFp32, HasAvx512, kSums * 16, RunAvx512Fma},
    {"avx2-maddubs", Operand::kInt4, HasAvx2, kSums * 32, RunAvx2Maddubs},
    {"avx2-madd", Operand::kInt8, HasAvx2, kSums * 16, RunAvx2Madd},
    {"avx2-fma", Operand::kFp32, HasAvx2, kSums * 8, RunAvx2Fma},
    {"scalar", Operand::kFp32, Always, kSums, RunScalar},
};
#else
constexpr Unit kUnits[] = {{"scalar", Operand::kFp32, Always, kSums, RunScalar}};
#endif

// Narrower operands can always be widened to fp32, and int4 to int8.
bool Takes(const Unit& unit, Operand operand) {
  return unit.operand == operand || unit.operand == Operand::kFp32 ||
         (unit.operand == Operand::kInt8 && operand == Operand::kInt4);
}

const Unit& FastestUnit(Operand operand) {
  for (const Unit& unit : kUnits) {
    if (Takes(unit, operand) && unit.runs_here()) return unit;
  }
  std::abort();
}

}  // namespace

Peak MeasurePeak(Operand operand, kernels::WorkerPool& pool) {
  const Unit& unit = FastestUnit(operand);
  const double seconds =
      MedianOf(9, [&] { pool.ParallelFor(pool.threads(), [&](int, int) { unit.run(); }); });
  return {unit.multiply_adds_per_round * kRounds * pool.threads() / seconds, unit.name};
}

}  // namespace winnow::bench
