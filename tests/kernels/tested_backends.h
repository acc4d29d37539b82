#ifndef WINNOW_TESTS_KERNELS_TESTED_BACKENDS_H_
#define WINNOW_TESTS_KERNELS_TESTED_BACKENDS_H_

#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

// All variants that run here, and the AMX variant over a model of its tiles where the processor has
// the vector instructions around them: its arithmetic is tested on machines without AMX too.
std::vector<const Backend*> TestedBackends();

// Whether probabilities of bf16 rows are rounded to bf16; see kernels/README.md.
bool RoundsProbabilities(const Backend& backend);

// The variants with a sieve that can run here.
std::vector<const CpuVariant*> SievedVariants();

// Whether a sieve's levels have fewer bits than those of the others, so that its bounds are wider.
bool IsCoarse(const Sieve& sieve);

}  // namespace winnow::kernels

#endif  // WINNOW_TESTS_KERNELS_TESTED_BACKENDS_H_
