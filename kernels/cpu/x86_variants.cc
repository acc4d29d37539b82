#include <array>

#include "kernels/cpu/avx2.h"
#include "kernels/cpu/avx512.h"
#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

std::span<const CpuVariant* const> NativeVariants() {
  static const std::array<const CpuVariant*, 2> variants = {&Avx2Variant(), &Avx512Variant()};
  return variants;
}

}  // namespace winnow::kernels
