#ifndef WINNOW_TESTS_KERNELS_MODELLED_AMX_H_
#define WINNOW_TESTS_KERNELS_MODELLED_AMX_H_

#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

// The AMX variant, "modelled_amx", over tiles that are arrays: what it loads, multiplies and stores
// is what the unit would.
const CpuVariant& ModelledAmxVariant();

}  // namespace winnow::kernels

#endif  // WINNOW_TESTS_KERNELS_MODELLED_AMX_H_
