#include "kernels/cpu/amx.h"

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/cpu/avx512_bf16.h"
#include "kernels/cpu/next_page.h"
#include "kernels/cpu/prepare.h"
#include "kernels/cpu/rows_ahead.h"
#include "kernels/cpu/score_error.h"
#include "kernels/cpu/sieve_query.h"
#include "kernels/reference/formats.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,avx512vnni,fma,f16c")

namespace winnow::kernels {
namespace {

#include "kernels/cpu/amx_attention.inc"

// In assembly because the compiler's intrinsics do not tell it that they read and write memory.
// Operands name what they do, so that all else may stay in registers.
struct NativeTiles {
  struct alignas(64) Config {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  using Anywhere = const std::byte[];  // rows are a stride apart
  using Tile = std::byte[kTileBytes];

  static void Configure() {
    static constexpr Config config;
    asm volatile("ldtilecfg %0" : : "m"(config));
  }
  static void Release() { asm volatile("tilerelease"); }

  template <int tile>
  static void Load(const std::byte* from, size_t stride_bytes) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2"
                 :
                 : "r"(from), "r"(stride_bytes), "i"(tile),
                   "m"(*reinterpret_cast<Anywhere*>(from)));
  }
  template <int tile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(tile));
  }
  template <int tile>
  static void Store(std::byte* to) {
    asm volatile("tilestored %%tmm%c3, (%1,%2,1)"
                 : "=m"(*reinterpret_cast<Tile*>(to))
                 : "r"(to), "r"(size_t{64}), "i"(tile));
  }
  template <int sum, int a, int b>
  static void MultiplyBf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(a), "i"(b));
  }
  template <int sum, int a, int b>
  static void MultiplyInt8() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(a), "i"(b));
  }
};

// Linux lets a process use tile registers once it has asked (arch_prctl,
// Documentation/arch/x86/xstate).
bool SystemPermitsTiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILE_DATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool RunsHere() {
  if (!Avx512Bf16Variant().runs_here()) return false;
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr uint32_t kBf16 = 1u << 22, kTiles = 1u << 24, kInt8 = 1u << 25;
  constexpr uint32_t kAll = kBf16 | kTiles | kInt8;
  return (edx & kAll) == kAll && SystemPermitsTiles();
}

}  // namespace

const CpuVariant& AmxVariant() {
  static constexpr CpuVariant variant = MakeTileVariant<NativeTiles>("amx", RunsHere);
  return variant;
}

}  // namespace winnow::kernels
