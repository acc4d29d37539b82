#include "tests/kernels/sieve_fixture.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "kernels/cpu/sieve.h"

namespace winnow::kernels {

std::vector<float> SieveTest::ScoresOf(const Backend& backend, const ScoreCase& c) {
  ScoreCase all = c;
  all.k = static_cast<int>(c.entries());
  const Selection selected = Evaluate(backend, all);
  std::vector<float> scores(c.entries());
  for (const Candidate& candidate : selected[0]) {
    scores[candidate.position] = candidate.score;
  }
  return scores;
}

float SieveTest::AnyOf(const std::vector<float>& bounds) {
  return bounds.empty() ? 0 : bounds[random_.Int(0, static_cast<int>(bounds.size()) - 1)];
}

std::vector<float> SieveTest::BoundsOf(const ScoreCase& c) {
  const CpuVariant& variant = *GetParam();
  const Sieve& sieve = *variant.sieve;
  const PagedKeys paged(c.format, c.dim, c.keys);
  const std::vector<KeyPage> pages = Pages(paged);
  const ScoreQuery query = Params(c, pages).query;
  const auto memory = [](size_t bytes) {
    return std::make_unique<std::byte[]>(bytes + kScratchAlignment);
  };
  const auto prepared = memory(sieve.prepared_bytes(query));
  const auto scratch = memory(sieve.scratch_bytes(query));
  const auto prepare_scratch = memory(sieve.prepare_scratch_bytes(query));
  for (int row = query.rows; row-- > 0;) {
    sieve.prepare_row(query, row, prepared.get(), prepare_scratch.get());
  }
  if (variant.enter != nullptr) variant.enter(query);
  std::vector<float> bounds;
  bool ready = false;
  for (size_t i = 0; i < pages.size(); ++i) {
    const bool follows = i + 1 < pages.size() && random_.Int(0, 2) > 0;
    std::vector<float> of_page(static_cast<size_t>(c.rows) * kPageEntries);
    std::vector<uint64_t> passed(c.rows);
    const std::vector<float> floors(c.rows, AnyOf(bounds));
    sieve.bound_page(
        query, prepared.get(),
        {.page = pages[i].keys, .next = follows ? pages[i + 1].keys : nullptr, .first = !ready},
        scratch.get(),
        {.floors = floors.data(), .bounds = of_page.data(), .passed = passed.data()});
    ready = follows;
    bounds.insert(bounds.end(), of_page.begin(), of_page.begin() + pages[i].entries);
    for (uint32_t entry = 0; entry < pages[i].entries; ++entry) {
      EXPECT_EQ(passed[0] >> entry & 1, of_page[entry] < floors[0] ? 0u : 1u)
          << of_page[entry] << " and " << floors[0];
    }
  }
  if (variant.leave != nullptr) variant.leave();
  return bounds;
}

void SieveTest::ExpectNoScoreAboveItsBound(std::span<const Backend* const> backends,
                                           const ScoreCase& c) {
  const std::vector<float> bounds = BoundsOf(c);
  for (const Backend* backend : backends) {
    const std::vector<float> scores = ScoresOf(*backend, c);
    for (size_t i = 0; i < scores.size(); ++i) {
      ASSERT_FALSE(bounds[i] < scores[i])
          << backend->name() << " " << c.dim << " x " << c.heads << ", entry " << i << ": "
          << scores[i] << " above " << bounds[i];
    }
  }
}

int64_t SieveTest::PassFor40Best(const ScoreCase& c) {
  std::vector<float> scores = ScoresOf(plain(), c);
  std::nth_element(scores.begin(), scores.begin() + 39, scores.end(), std::greater<>());
  return std::ranges::count_if(BoundsOf(c),
                               [floor = scores[39]](float bound) { return !(bound < floor); });
}

}  // namespace winnow::kernels
