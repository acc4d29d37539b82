#include <gtest/gtest.h>

#include <cstring>

#include "kernels/cuda/simt.h"
#include "kernels/cuda/simulator/simulator.h"

// Products by groups of four warps, as kernels/cuda/simt.h describes them, and what the simulator
// finds wrong with their use.
namespace winnow::kernels::simulator {
namespace {

constexpr int kHalfBytes = 512;
constexpr int kTileBytes = 128;
constexpr cuda::LaunchShape kOneGroup{.threads = 128, .shared_bytes = 2 * kHalfBytes};

float ValueOfA(int row, int k) { return static_cast<float>(row - 2 * k); }
float ValueOfB(int k, int column) { return static_cast<float>(3 * k + column - 20); }

void WriteB(bool transposed) {
  for (int i = simt::ThreadInBlock(); i < 16 * 32; i += 128) {
    const int k = i / 32, column = i % 32;
    const auto value = static_cast<uint16_t>(simt::PackBf16x2(ValueOfB(k, column), 0));
    const int line = transposed ? k % 8 : column % 8, at = transposed ? column % 8 : k % 8;
    std::memcpy(
        simt::SharedMemory() + k / 8 * kHalfBytes + column / 8 * kTileBytes + line * 16 + at * 2,
        &value, sizeof value);
  }
}

void MakeA(uint32_t (&a)[4]) {
  const int row = 16 * simt::Warp() + simt::Lane() / 4, k = simt::Lane() % 4 * 2;
  for (int i = 0; i < 4; ++i) {
    const int r = row + i % 2 * 8, first = k + i / 2 * 8;
    a[i] = simt::PackBf16x2(ValueOfA(r, first), ValueOfA(r, first + 1));
  }
}

bool IsProduct(const float (&d)[4][4]) {
  bool right = true;
  for (int i = 0; i < 16; ++i) {
    const int row = 16 * simt::Warp() + simt::Lane() / 4 + i % 4 / 2 * 8;
    const int column = i / 4 * 8 + simt::Lane() % 4 * 2 + i % 2;
    float expected = 0;
    for (int k = 0; k < 16; ++k) expected += ValueOfA(row, k) * ValueOfB(k, column);
    right = right && d[i / 4][i % 4] == expected;
  }
  return right;
}

struct Omit {
  bool publish = false;
  bool begin = false;
  bool commit = false;
  bool wait = false;
};

// Twice the product, by one that does not add and one that does; halved again.
void MultiplyTwice(const Omit& omit, bool* ok) {
  WriteB(false);
  if (!omit.publish) simt::PublishShared();
  simt::SyncBlock();
  uint32_t a[4];
  MakeA(a);
  const uint64_t b = simt::SharedMatrix(simt::SharedMemory(), kHalfBytes, kTileBytes);
  float d[4][4];
  for (auto& tile : d) {
    for (float& value : tile) value = 1e9f;
  }
  if (!omit.begin) simt::GroupBegin();
  simt::MmaGroup(d, a, b, false);
  simt::MmaGroup(d, a, b, true);
  if (!omit.commit) simt::GroupCommit();
  if (!omit.wait) simt::GroupWait<0>();
  for (auto& tile : d) {
    for (float& value : tile) value /= 2;
  }
  if (!IsProduct(d)) *ok = false;
  simt::SyncBlock();  // what was not waited for must not be done after the end of `d`
}

int SeedsThatPass(const Omit& omit) {
  int passed = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    bool ok = true;
    EXPECT_EQ(Simulate(kOneGroup, {.seed = seed}, [&] { MultiplyTwice(omit, &ok); }), "");
    passed += ok ? 1 : 0;
  }
  return passed;
}

std::string ErrorOf(const Omit& omit) {
  bool ok = true;
  return Simulate(kOneGroup, {}, [&] { MultiplyTwice(omit, &ok); });
}

TEST(SimulatedGroup, MultipliesWhatTheFragmentsAndTheMatrixSay) {
  EXPECT_EQ(SeedsThatPass({}), 10);
}

// A as a matrix in shared memory, its rows where B has columns; and B with k and column changed in
// each tile.
TEST(SimulatedGroup, MultipliesMatricesInEveryLayout) {
  constexpr int kA = 4 * kHalfBytes;  // where A begins; a half of it has 8 tiles of 8 rows
  constexpr cuda::LaunchShape kShape{.threads = 128, .shared_bytes = kA + 2 * 8 * kTileBytes};
  for (const bool transposed : {false, true}) {
    bool ok = true;
    const std::string error = Simulate(kShape, {}, [&] {
      WriteB(transposed);
      for (int i = simt::ThreadInBlock(); i < 64 * 16; i += 128) {
        const int row = i / 16, k = i % 16;
        const auto value = static_cast<uint16_t>(simt::PackBf16x2(ValueOfA(row, k), 0));
        std::memcpy(simt::SharedMemory() + kA + k / 8 * 8 * kTileBytes + row * 16 + k % 8 * 2,
                    &value, sizeof value);
      }
      simt::PublishShared();
      simt::SyncBlock();
      const uint64_t b = simt::SharedMatrix(simt::SharedMemory(), kHalfBytes, kTileBytes);
      uint32_t a[4];
      MakeA(a);
      float d[4][4];
      simt::GroupBegin();
      if (transposed) {
        simt::MmaGroupTransposed(d, a, b, false);
      } else {
        simt::MmaGroup(d, simt::SharedMatrix(simt::SharedMemory() + kA, 8 * kTileBytes, kTileBytes),
                       b, false);
      }
      simt::GroupCommit();
      simt::GroupWait<0>();
      if (!IsProduct(d)) ok = false;
    });
    EXPECT_EQ(error, "");
    EXPECT_TRUE(ok) << transposed;
  }
}

TEST(SimulatedGroup, FindsAMissingWait) { EXPECT_LT(SeedsThatPass({.wait = true}), 10); }

TEST(SimulatedGroup, FindsAMissingCommit) { EXPECT_LT(SeedsThatPass({.commit = true}), 10); }

TEST(SimulatedGroup, RefusesAProductThatWasNotBegun) {
  EXPECT_NE(ErrorOf({.begin = true}).find("without a GroupBegin"), std::string::npos);
}

TEST(SimulatedGroup, RefusesAProductOfWhatWasNotPublished) {
  EXPECT_NE(ErrorOf({.publish = true}).find("PublishShared"), std::string::npos);
}

TEST(SimulatedGroup, FindsThreadsOfDifferentMatrices) {
  const std::string error = Simulate(kOneGroup, {}, [] {
    simt::PublishShared();
    simt::SyncBlock();
    const uint32_t a[4] = {};
    float d[4][4] = {};
    simt::GroupBegin();
    simt::MmaGroup(d, a, simt::ThreadInBlock() == 77 ? 1 : 0, false);
  });
  EXPECT_NE(error.find("different matrices"), std::string::npos);
}

TEST(SimulatedGroup, FindsAWarpThatIsMissing) {
  const std::string error = Simulate(kOneGroup, {}, [] {
    simt::PublishShared();
    simt::SyncBlock();
    if (simt::Warp() == 2) return;
    const uint32_t a[4] = {};
    float d[4][4] = {};
    simt::GroupBegin();
    simt::MmaGroup(d, a, 0, false);
  });
  EXPECT_NE(error.find("deadlock"), std::string::npos);
}

}  // namespace
}  // namespace winnow::kernels::simulator
