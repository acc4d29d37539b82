#include "tests/kernels/tested_backends.h"

#if defined(__x86_64__)
#include "kernels/cpu/avx2_sieve.h"
#include "tests/kernels/modelled_amx.h"
#endif

namespace winnow::kernels {

std::vector<const Backend*> TestedBackends() {
  std::vector<const Backend*> backends(AvailableBackends().begin(), AvailableBackends().end());
#if defined(__x86_64__)
  static const Backend* modelled =
      ModelledAmxVariant().runs_here() ? MakeCpuBackend(ModelledAmxVariant()) : nullptr;
  if (modelled != nullptr) backends.push_back(modelled);
#endif
  return backends;
}

bool RoundsProbabilities(const Backend& backend) {
  return backend.name() == "avx512_bf16" || backend.name().ends_with("amx");
}

std::vector<const CpuVariant*> SievedVariants() {
  std::vector<const CpuVariant*> all(NativeVariants().begin(), NativeVariants().end());
#if defined(__x86_64__)
  all.push_back(&ModelledAmxVariant());
#endif
  std::vector<const CpuVariant*> variants;
  for (const CpuVariant* variant : all) {
    if (variant->runs_here() && variant->sieve != nullptr && variant->sieve->runs_here()) {
      variants.push_back(variant);
    }
  }
  return variants;
}

bool IsCoarse([[maybe_unused]] const Sieve& sieve) {
#if defined(__x86_64__)
  return &sieve == &Avx2Sieve();
#else
  return false;
#endif
}

}  // namespace winnow::kernels
