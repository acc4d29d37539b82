#include "kernels/cuda/simulator/simulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/cuda/simt.h"

namespace winnow::kernels::simulator {
namespace {

constexpr cuda::LaunchShape kOneWarp{.threads = 32, .shared_bytes = 1024};
constexpr cuda::LaunchShape kFourWarps{.threads = 128, .shared_bytes = 1024};

int* SharedInts() { return reinterpret_cast<int*>(simt::SharedMemory()); }

// Of ten seeds, for how many the kernel left ok true.
int SeedsThatPass(const cuda::LaunchShape& shape, const std::function<void(bool* ok)>& kernel) {
  int passed = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    bool ok = true;
    EXPECT_EQ(Simulate(shape, {.seed = seed}, [&] { kernel(&ok); }), "");
    passed += ok ? 1 : 0;
  }
  return passed;
}

TEST(Simulator, RunsEveryThreadOfEveryBlockOnce) {
  std::vector<int> runs(3 * 2 * 64);
  const cuda::LaunchShape shape{.blocks_x = 3, .blocks_y = 2, .threads = 64};
  EXPECT_EQ(Simulate(shape, {},
                     [&] {
                       const int block = simt::BlockY() * simt::BlocksX() + simt::BlockX();
                       ++runs[block * 64 + simt::ThreadInBlock()];
                     }),
            "");
  EXPECT_EQ(runs, std::vector<int>(3 * 2 * 64, 1));
}

void PassToTheNextThread(bool with_barrier, bool* ok) {
  const int thread = simt::ThreadInBlock();
  SharedInts()[thread] = thread;
  if (with_barrier) simt::SyncBlock();
  if (SharedInts()[thread ^ 64] != (thread ^ 64)) *ok = false;
}

TEST(Simulator, FindsAMissingBarrier) {
  EXPECT_EQ(SeedsThatPass(kFourWarps, [](bool* ok) { PassToTheNextThread(true, ok); }), 10);
  EXPECT_EQ(SeedsThatPass(kFourWarps, [](bool* ok) { PassToTheNextThread(false, ok); }), 0);
}

TEST(Simulator, FindsAMissingWaitForACopy) {
  alignas(16) const int source[4] = {1, 2, 3, 4};
  const auto kernel = [&](bool wait, bool* ok) {
    if (simt::ThreadInBlock() == 0) simt::CopyAsync16(SharedInts(), source);
    simt::CopyAsyncCommit();
    if (wait) simt::CopyAsyncWait<0>();
    simt::SyncWarp();
    if (SharedInts()[3] != 4) *ok = false;
  };
  EXPECT_EQ(SeedsThatPass(kOneWarp, [&](bool* ok) { kernel(true, ok); }), 10);
  EXPECT_LT(SeedsThatPass(kOneWarp, [&](bool* ok) { kernel(false, ok); }), 10);
}

TEST(Simulator, FindsACopyIntoWhatIsStillRead) {
  alignas(16) int source[8] = {1, 1, 1, 1, 2, 2, 2, 2};
  const auto kernel = [&](bool* ok) {
    if (simt::ThreadInBlock() == 0) {
      simt::CopyAsync16(SharedInts(), source);
      simt::CopyAsyncCommit();
      simt::CopyAsyncWait<0>();
    }
    simt::SyncWarp();
    if (simt::ThreadInBlock() == 0) simt::CopyAsync16(SharedInts(), source + 4);
    if (SharedInts()[0] != 1) *ok = false;
    simt::SyncWarp();
  };
  EXPECT_LT(SeedsThatPass(kOneWarp, kernel), 10);
}

TEST(Simulator, FindsLanesThatDiverge) {
  const std::string error = Simulate(kOneWarp, {}, [] {
    if (simt::Lane() < 7) {
      simt::Ballot(true);
    } else {
      simt::SyncWarp();
    }
  });
  EXPECT_NE(error.find("diverge"), std::string::npos) << error;
  EXPECT_NE(error.find("Ballot at"), std::string::npos) << error;
}

TEST(Simulator, FindsTheSameCollectiveAtTwoPlaces) {
  const std::string error = Simulate(kOneWarp, {}, [] {
    if (simt::Lane() == 0) {
      simt::Shuffle(1, 0);
    } else {
      simt::Shuffle(2, 0);
    }
  });
  EXPECT_NE(error.find("diverge"), std::string::npos) << error;
}

TEST(Simulator, FindsALaneThatLeftTooEarly) {
  const std::string error = Simulate(kOneWarp, {}, [] {
    if (simt::Lane() != 3) simt::SyncWarp();
  });
  EXPECT_NE(error.find("deadlock"), std::string::npos) << error;
}

TEST(Simulator, FindsAWarpThatSkipsABarrier) {
  const std::string error = Simulate(kFourWarps, {}, [] {
    if (simt::Warp() != 2) simt::SyncBlock();
  });
  EXPECT_NE(error.find("SyncBlock at"), std::string::npos) << error;
}

TEST(Simulator, PoisonsSharedMemoryInEveryBlock) {
  const cuda::LaunchShape shape{.blocks_x = 2, .threads = 32, .shared_bytes = 128};
  bool poisoned = true;
  EXPECT_EQ(Simulate(shape, {},
                     [&] {
                       auto* values = reinterpret_cast<float*>(simt::SharedMemory());
                       poisoned = poisoned && std::isnan(values[simt::Lane()]);
                       values[simt::Lane()] = 1;
                     }),
            "");
  EXPECT_TRUE(poisoned);
}

TEST(Simulator, RefusesImpossibleLaunches) {
  EXPECT_NE(Simulate({.threads = 33}, {}, [] {}), "");
  EXPECT_NE(Simulate({.threads = 2048}, {}, [] {}), "");
  EXPECT_NE(Simulate({.blocks_x = 0}, {}, [] {}), "");
}

TEST(Simulator, AddsAtomicallyAcrossBlocksOnSeveralThreads) {
  uint32_t sum = 0, most = 0;
  const cuda::LaunchShape shape{.blocks_x = 20, .threads = 64};
  EXPECT_EQ(Simulate(shape, {.seed = 1, .os_threads = 3},
                     [&] {
                       simt::AtomicAdd(&sum, 1);
                       simt::AtomicMax(&most, simt::BlockX());
                     }),
            "");
  EXPECT_EQ(sum, 20u * 64);
  EXPECT_EQ(most, 19u);
}

TEST(Simt, ShufflesVotesAndReduces) {
  bool ok = true;
  EXPECT_EQ(Simulate(kOneWarp, {},
                     [&] {
                       const int lane = simt::Lane();
                       const uint64_t wide = (uint64_t{1} << 40) + lane;
                       const bool good = simt::Shuffle(wide, 5) == (uint64_t{1} << 40) + 5 &&
                                         simt::ShuffleXor(1.5f * lane, 3) == 1.5f * (lane ^ 3) &&
                                         simt::Ballot(lane % 2 == 0) == 0x55555555u &&
                                         simt::ReduceMax(100 - lane) == 100u;
                       ok = ok && good;
                     }),
            "");
  EXPECT_TRUE(ok);
}

// The fragments as kernels/cuda/simt.h describes them.
TEST(Simt, MultipliesWhatTheLoadedFragmentsSay) {
  const cuda::LaunchShape shape{.threads = 32, .shared_bytes = 16 * 32 + 16 * 16 + 8 * 32};
  const auto a = [](int row, int k) { return static_cast<float>(row - 2 * k); };
  const auto b = [](int k, int column) { return static_cast<float>(3 * k + column - 20); };
  for (const bool transposed : {false, true}) {
    bool ok = true;
    EXPECT_EQ(Simulate(shape, {},
                       [&] {
                         const int lane = simt::Lane();
                         auto* as = reinterpret_cast<uint16_t*>(simt::SharedMemory());
                         uint16_t* bs = as + 256;
                         for (int i = lane; i < 256; i += 32) {
                           as[i] = static_cast<uint16_t>(simt::PackBf16x2(a(i / 16, i % 16), 0));
                         }
                         for (int i = lane; i < 128; i += 32) {
                           const float value = transposed ? b(i / 8, i % 8) : b(i % 16, i / 16);
                           bs[i] = static_cast<uint16_t>(simt::PackBf16x2(value, 0));
                         }
                         simt::SyncWarp();
                         uint32_t fa[4], fb[2];
                         simt::LoadMatrix4(fa, as + lane % 16 * 16 + lane / 16 * 8);
                         if (transposed) {
                           simt::LoadMatrix2Transposed(fb, bs + lane % 16 * 8);
                         } else {
                           simt::LoadMatrix2(fb, bs + lane % 8 * 16 + lane / 8 % 2 * 8);
                         }
                         float d[4] = {1, 1, 1, 1};
                         simt::MmaBf16(d, fa, fb[0], fb[1]);
                         for (int i = 0; i < 4; ++i) {
                           float expected = 1;
                           for (int k = 0; k < 16; ++k) {
                             expected += a(lane / 4 + i / 2 * 8, k) * b(k, lane % 4 * 2 + i % 2);
                           }
                           ok = ok && d[i] == expected;
                         }
                       }),
              "");
    EXPECT_TRUE(ok) << transposed;
  }
}

TEST(Simt, PermutesBytes) {
  EXPECT_EQ(simt::Permute(0x33221100u, 0x77665544u, 0x0246u), 0x00224466u);
  EXPECT_EQ(simt::Permute(0x33221100u, 0x77665544u, 0x7531u), 0x77553311u);
}

}  // namespace
}  // namespace winnow::kernels::simulator
