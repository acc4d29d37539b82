#include <algorithm>

#include "kernels/backend.h"

namespace winnow::kernels {

void MergeCandidates(std::span<const std::span<const Candidate>> lists, size_t k,
                     std::vector<Candidate>* merged) {
  merged->clear();
  // A heap of what is left of each list, the one with the best head on top.
  std::vector<std::span<const Candidate>> heap;
  heap.reserve(lists.size());
  size_t total = 0;
  for (const std::span<const Candidate> list : lists) {
    if (!list.empty()) heap.push_back(list);
    total += list.size();
  }
  merged->reserve(std::min(k, total));
  const auto worse = [](std::span<const Candidate> a, std::span<const Candidate> b) {
    return Better(b.front(), a.front());
  };
  std::make_heap(heap.begin(), heap.end(), worse);
  while (!heap.empty() && merged->size() < k) {
    std::pop_heap(heap.begin(), heap.end(), worse);
    merged->push_back(heap.back().front());
    heap.back() = heap.back().subspan(1);
    if (heap.back().empty()) {
      heap.pop_back();
    } else {
      std::push_heap(heap.begin(), heap.end(), worse);
    }
  }
}

}  // namespace winnow::kernels
