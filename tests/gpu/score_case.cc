#include "tests/gpu/score_case.h"

#include <algorithm>

#include "tests/gpu/device_array.h"

namespace winnow::kernels::cuda {
namespace {

// The arranged pages one after another, page_entries entries in each.
std::vector<std::byte> Arrange(const ScoreCase& c, int page_entries) {
  const size_t page_bytes = KeyPageBytes(c.format, c.dim);
  const size_t pages = (c.entries() + page_entries - 1) / page_entries;
  // What a page does not hold may be anything: here NaN where there is such a thing.
  std::vector<std::byte> arranged(pages * page_bytes, std::byte{0xff});
  for (size_t i = 0; i < pages; ++i) {
    const size_t first = i * page_entries;
    ArrangeKeys(c.format, c.dim, &c.keys[first * KeyBytes(c.format, c.dim)], 0,
                static_cast<int>(std::min<size_t>(page_entries, c.entries() - first)),
                &arranged[i * page_bytes]);
  }
  return arranged;
}

std::vector<KeyPage> PlacedPages(const ScoreCase& c, const std::byte* arranged, int page_entries) {
  std::vector<KeyPage> pages;
  for (size_t first = 0; first < c.entries(); first += page_entries) {
    const size_t count = std::min<size_t>(page_entries, c.entries() - first);
    pages.push_back({arranged + pages.size() * KeyPageBytes(c.format, c.dim),
                     static_cast<uint32_t>(first), static_cast<uint32_t>(count)});
  }
  return pages;
}

}  // namespace

Selection Evaluate(DeviceApi& device, const CudaBackend& backend, const ScoreCase& c,
                   int page_entries) {
  DeviceArray<std::byte> arranged(device, Arrange(c, page_entries));
  const std::vector<KeyPage> pages = PlacedPages(c, arranged.data(), page_entries);
  ScoreTopKResult result;
  const ScoreTopKParams params = Params(c, pages);
  Must(backend.TryScoreTopK({&params, 1}, {&result, 1}));
  Must(result.complete ? "" : "a selection is not complete");
  return result.selected;
}

}  // namespace winnow::kernels::cuda
