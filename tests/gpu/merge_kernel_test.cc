#include <gtest/gtest.h>

#include <algorithm>

#include "tests/gpu/test_device.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels::cuda {
namespace {

class GpuMergeTest : public GpuTest {
 protected:
  // Lists of random lengths; few different scores, so that there are many ties.
  std::vector<std::vector<Candidate>> RandomLists(int lists, int longest, int scores) {
    std::vector<std::vector<Candidate>> made(lists);
    uint32_t position = 0;
    for (auto& list : made) {
      for (int n = random_.Int(0, longest); n > 0; --n) {
        list.push_back({static_cast<float>(random_.Int(-scores, scores)), position++});
      }
      std::sort(list.begin(), list.end(), Better);
    }
    return made;
  }

  void ExpectMerged(const std::vector<std::vector<Candidate>>& lists, uint32_t k) {
    uint32_t stride = 1;
    for (const auto& list : lists) stride = std::max(stride, static_cast<uint32_t>(list.size()));
    std::vector<Candidate> items(lists.size() * stride, {9e9f, 0});
    std::vector<uint32_t> lengths;
    for (size_t i = 0; i < lists.size(); ++i) {
      std::copy(lists[i].begin(), lists[i].end(), items.begin() + i * stride);
      lengths.push_back(static_cast<uint32_t>(lists[i].size()));
    }
    const Candidate poison{-5, 5};
    DeviceArray<Candidate> on_device(*device_, items), merged(*device_, std::vector(k, poison));
    DeviceArray<uint32_t> device_lengths(*device_, lengths), count(*device_, {77});
    merged.Run(PlanMerge(static_cast<int>(lists.size()), stride),
               MergeArgs{static_cast<int>(lists.size()), stride, k, on_device.data(),
                         device_lengths.data(), merged.data(), count.data()});
    const std::vector<std::span<const Candidate>> spans(lists.begin(), lists.end());
    std::vector<Candidate> expected;
    MergeCandidates(spans, k, &expected);
    EXPECT_EQ(count.Read()[0], expected.size());
    expected.resize(k, poison);
    EXPECT_EQ(merged.Read(), expected);
  }

  RandomData random_{TestSeed()};
};

TEST_F(GpuMergeTest, AgreesWithTheHostsMerge) {
  for (int round = 0; round < 20; ++round) {
    ExpectMerged(RandomLists(random_.Int(1, 9), random_.Int(0, 300), random_.Int(1, 1000)),
                 static_cast<uint32_t>(random_.Int(1, 500)));
  }
}

TEST_F(GpuMergeTest, OfEmptyListsIsEmpty) { ExpectMerged({{}, {}, {}}, 4); }

TEST_F(GpuMergeTest, KeepsEqualCandidatesOfSeveralLists) {
  const std::vector<Candidate> list = {{3, 1}, {2, 5}, {2, 6}};
  ExpectMerged({list, list, list}, 7);
}

}  // namespace
}  // namespace winnow::kernels::cuda
