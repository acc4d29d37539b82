#include "client/winnowctl/demo/reference_scan.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "kernels/backend.h"

namespace winnow::ctl {
namespace {

constexpr std::align_val_t kPageAlignment{64};

struct FreePages {
  void operator()(std::byte* pages) const { ::operator delete[](pages, kPageAlignment); }
};
using Pages = std::unique_ptr<std::byte[], FreePages>;

// All entries' index keys as the kernels want them, one page after another.
Pages ArrangedKeys(const Profile& profile, const BruteForce& entries, size_t count) {
  const size_t page_bytes = kernels::KeyPageBytes(profile.key_format, profile.index_dim);
  const size_t pages = (count + kernels::kPageEntries - 1) / kernels::kPageEntries;
  Pages arranged(new (kPageAlignment) std::byte[pages * page_bytes]());
  std::vector<std::byte> key(profile.key_bytes());
  for (size_t p = 0; p < count; ++p) {
    EncodeIndexKey(entries.IndexCodesAt(p), key.data());
    kernels::ArrangeKeys(profile.key_format, profile.index_dim, key.data(),
                         static_cast<int>(p % kernels::kPageEntries), 1,
                         arranged.get() + p / kernels::kPageEntries * page_bytes);
  }
  return arranged;
}

}  // namespace

BruteForce::Selected ReferenceSelect(const BruteForce& entries, const InductionQuery& query,
                                     size_t visible_entries, int k) {
  const Profile profile = InductionProfile();
  const size_t page_bytes = kernels::KeyPageBytes(profile.key_format, profile.index_dim);
  const Pages arranged = ArrangedKeys(profile, entries, visible_entries);
  std::vector<kernels::KeyPage> pages;
  for (size_t first = 0; first < visible_entries; first += kernels::kPageEntries) {
    pages.push_back({.keys = arranged.get() + first / kernels::kPageEntries * page_bytes,
                     .first_position = static_cast<uint32_t>(first),
                     .entries = static_cast<uint32_t>(
                         std::min<size_t>(kernels::kPageEntries, visible_entries - first))});
  }
  const uint32_t visible[] = {static_cast<uint32_t>(visible_entries)};
  kernels::WorkerPool pool(1);
  kernels::ScoreTopKResult result;
  kernels::ChooseBackend("reference")
      ->ScoreTopK({.query = {.format = profile.key_format,
                             .rows = 1,
                             .heads = profile.index_heads,
                             .dim = profile.index_dim,
                             .queries = query.index_queries().data(),
                             .weights = query.weights().data()},
                   .pages = pages,
                   .visible_entries = visible,
                   .k = k,
                   .cancelled = nullptr},
                  pool, &result);
  BruteForce::Selected selected;
  for (const kernels::Candidate& candidate : result.selected[0]) {
    selected.positions.push_back(static_cast<int32_t>(candidate.position));
    selected.scores.push_back(candidate.score);
  }
  return selected;
}

}  // namespace winnow::ctl
