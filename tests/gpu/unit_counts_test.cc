#include "kernels/cuda/unit_counts.cuh"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "kernels/cuda/simulator/simulator.h"

namespace winnow::kernels::cuda {
namespace {

// Warps that post, and one more that collects.
constexpr int kPosting = 12;
constexpr int kRows = 3;
constexpr LaunchShape kBlock{.threads = 32 * (kPosting + 1),
                             .shared_bytes = sizeof(uint32_t) * kPostsOfBlock};

uint32_t BinOf(int warp, uint32_t n) { return 900 + (warp * 7 + n * 5) % 11 * 40; }
int RowOf(int warp, uint32_t n) { return static_cast<int>(warp + n) % kRows; }

// The last warp collects so often while the others post, and once after that.
void PostAndCollect(RowState* states, uint32_t units, int collections) {
  const UnitPosts posts = {states, reinterpret_cast<uint32_t*>(simt::SharedMemory())};
  const int warp = simt::Warp();
  if (warp == kPosting) posts.Clear();
  simt::SyncBlock();
  if (warp == kPosting) {
    for (int i = 0; i < collections; ++i) {
      posts.Collect();
      simt::SyncWarp();
    }
  } else {
    for (uint32_t n = 0; n < units; ++n) {
      if (simt::Lane() == 0) posts.Post(n, RowOf(warp, n), BinOf(warp, n));
      simt::SyncWarp();
    }
  }
  simt::SyncBlock();
  if (warp == kPosting) posts.Collect();
}

void ExpectAllCounted(const RowState* states, uint32_t units) {
  auto expected = std::make_unique<RowState[]>(kRows);
  for (int warp = 0; warp < kPosting; ++warp) {
    for (uint32_t n = 0; n < units; ++n) {
      RowState& state = expected[RowOf(warp, n)];
      ++state.units[BinOf(warp, n)];
      ++state.coarse[BinOf(warp, n) / (kBins / kCoarseBins)];
    }
  }
  EXPECT_EQ(std::memcmp(states, expected.get(), sizeof(RowState) * kRows), 0);
}

TEST(UnitPosts, EveryUnitIsCountedOnceHoweverOftenOneCollects) {
  for (const int collections : {0, 1, 5, 40}) {
    for (const uint32_t units : {1, kPostsPerWarp, 50}) {
      for (uint64_t seed = 0; seed < 5; ++seed) {
        auto states = std::make_unique<RowState[]>(kRows);
        EXPECT_EQ(simulator::Simulate(kBlock, {.seed = seed},
                                      [&] { PostAndCollect(states.get(), units, collections); }),
                  "");
        ExpectAllCounted(states.get(), units);
      }
    }
  }
}

}  // namespace
}  // namespace winnow::kernels::cuda
