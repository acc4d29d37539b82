#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/backend.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels {
namespace {

std::vector<Candidate> Merge(const std::vector<std::vector<Candidate>>& lists, size_t k) {
  const std::vector<std::span<const Candidate>> spans(lists.begin(), lists.end());
  std::vector<Candidate> merged;
  MergeCandidates(spans, k, &merged);
  return merged;
}

std::vector<Candidate> SortedBest(const std::vector<std::vector<Candidate>>& lists, size_t k) {
  std::vector<Candidate> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  std::sort(all.begin(), all.end(), Better);
  if (all.size() > k) all.resize(k);
  return all;
}

TEST(TopKMerge, TiesGoToTheLowerPosition) {
  EXPECT_EQ(Merge({{{1, 7}, {1, 9}}, {{2, 8}, {1, 3}}}, 3),
            (std::vector<Candidate>{{2, 8}, {1, 3}, {1, 7}}));
}

TEST(TopKMerge, OfNothingIsEmpty) {
  EXPECT_TRUE(Merge({}, 5).empty());
  EXPECT_TRUE(Merge({{}, {}}, 5).empty());
  EXPECT_TRUE(Merge({{{1, 1}}}, 0).empty());
}

TEST(TopKMerge, EqualsASortForEverySmallDivision) {
  // Six candidates with scores 0..1 dealt to three lists in every way.
  for (int scores = 0; scores < 64; ++scores) {
    for (int deal = 0; deal < 729; ++deal) {
      std::vector<std::vector<Candidate>> lists(3);
      for (int i = 0, d = deal; i < 6; ++i, d /= 3) {
        lists[d % 3].push_back({static_cast<float>(scores >> i & 1), static_cast<uint32_t>(i)});
      }
      for (auto& list : lists) std::sort(list.begin(), list.end(), Better);
      for (size_t k = 0; k <= 7; ++k) ASSERT_EQ(Merge(lists, k), SortedBest(lists, k));
    }
  }
}

TEST(TopKMerge, EqualsASortOnRandomLists) {
  RandomData random(TestSeed());
  for (int round = 0; round < 200; ++round) {
    std::vector<std::vector<Candidate>> lists(random.Int(1, 9));
    for (uint32_t i = 0; i < 500; ++i) {
      lists[random.Int(0, static_cast<int>(lists.size()) - 1)].push_back(
          {static_cast<float>(random.Int(-20, 20)), i});
    }
    for (auto& list : lists) std::sort(list.begin(), list.end(), Better);
    const size_t k = random.Int(0, 600);
    ASSERT_EQ(Merge(lists, k), SortedBest(lists, k));
  }
}

}  // namespace
}  // namespace winnow::kernels
