#include <array>

#include "kernels/cpu/amx.h"
#include "kernels/cpu/avx2.h"
#include "kernels/cpu/avx512.h"
#include "kernels/cpu/avx512_bf16.h"
#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

std::span<const CpuVariant* const> NativeVariants() {
  static const std::array<const CpuVariant*, 4> variants = {&Avx2Variant(), &Avx512Variant(),
                                                            &Avx512Bf16Variant(), &AmxVariant()};
  return variants;
}

}  // namespace winnow::kernels
