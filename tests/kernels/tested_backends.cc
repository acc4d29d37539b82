#include "tests/kernels/tested_backends.h"

#if defined(__x86_64__)
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

}  // namespace winnow::kernels
