#include "kernels/cpu/amx.h"

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "kernels/cpu/avx512_bf16.h"
#include "kernels/cpu/next_page.h"
#include "kernels/cpu/prepare.h"
#include "kernels/reference/formats.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,avx512vnni,fma,f16c")

namespace winnow::kernels {
namespace {

#include "kernels/cpu/amx_attention.inc"

// Tile registers 0..3 are the sums, 4 and 5 are A, 6 and 7 are B. Written in assembly because the
// compiler's intrinsics do not tell it that they read and write memory.
struct NativeTiles {
  struct alignas(64) Config {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };

  static void Configure() {
    static constexpr Config config;
    asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  static void Release() { asm volatile("tilerelease" : : : "memory"); }

  template <int tile>
  static void Load(const void* from, size_t stride_bytes) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2"
                 :
                 : "r"(from), "r"(stride_bytes), "i"(tile)
                 : "memory");
  }
  template <int i>
  static void LoadA(const void* from, size_t stride_bytes) {
    Load<4 + i>(from, stride_bytes);
  }
  template <int j>
  static void LoadB(const void* from, size_t stride_bytes) {
    Load<6 + j>(from, stride_bytes);
  }
  template <int i, int j>
  static void LoadC(const void* from, size_t stride_bytes) {
    Load<2 * i + j>(from, stride_bytes);
  }
  template <int i, int j>
  static void ZeroC() {
    asm volatile("tilezero %%tmm%c0" : : "i"(2 * i + j));
  }
  template <int i, int j>
  static void StoreC(void* to, size_t stride_bytes) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)"
                 :
                 : "r"(to), "r"(stride_bytes), "i"(2 * i + j)
                 : "memory");
  }
  template <int i, int j>
  static void MultiplyBf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(2 * i + j), "i"(4 + i), "i"(6 + j));
  }
  template <int i, int j>
  static void MultiplyInt8() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(2 * i + j), "i"(4 + i), "i"(6 + j));
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
