#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

std::span<const CpuVariant* const> NativeVariants() { return {}; }

}  // namespace winnow::kernels
