#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference/reference_backend.h"

namespace winnow::kernels {
namespace {

std::vector<const Backend*> FindBackends() {
  std::vector<const Backend*> found = {ReferenceBackend(), MakeCpuBackend(PortableVariant())};
  for (const CpuVariant* variant : NativeVariants()) {
    if (variant->runs_here()) found.push_back(MakeCpuBackend(*variant));
  }
  return found;
}

}  // namespace

std::span<const Backend* const> AvailableBackends() {
  static const auto* backends = new std::vector<const Backend*>(FindBackends());
  return *backends;
}

const Backend* ChooseBackend(std::string_view name) {
  if (name.empty()) return AvailableBackends().back();
  for (const Backend* backend : AvailableBackends()) {
    if (backend->name() == name) return backend;
  }
  return nullptr;
}

}  // namespace winnow::kernels
