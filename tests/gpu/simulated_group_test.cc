#include <gtest/gtest.h>

#include "kernels/cuda/simt.h"
#include "kernels/cuda/simulator/simulator.h"
#include "tests/gpu/one_product.cuh"

// Products by groups of four warps, as kernels/cuda/simt.h describes them, and what the simulator
// finds wrong with their use.
namespace winnow::kernels::simulator {
namespace {

constexpr int kColumns = 32;
constexpr int kHalfBytes = cuda::HalfBytes(kColumns);
constexpr cuda::LaunchShape kOneGroup{.threads = 128, .shared_bytes = 2 * kHalfBytes};

struct Omit {
  bool publish = false;
  bool begin = false;
  bool commit = false;
  bool wait = false;
};

// Twice the product, by one that does not add and one that does; halved again.
void MultiplyTwice(const Omit& omit, bool* ok) {
  cuda::WriteMatrix(simt::SharedMemory(), kColumns, false, cuda::ValueOfB);
  if (!omit.publish) simt::PublishShared();
  simt::SyncBlock();
  uint32_t a[4];
  cuda::FragmentOfA(a);
  const uint64_t b = simt::SharedMatrix(simt::SharedMemory(), kHalfBytes, cuda::kProductTileBytes);
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
  if (cuda::WrongValues(d) != 0) *ok = false;
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

template <cuda::ProductKind kKind>
uint32_t WrongValuesOf() {
  uint32_t wrong = 0;
  const cuda::LaunchShape shape{.threads = 128, .shared_bytes = cuda::ProductSharedBytes(kKind)};
  EXPECT_EQ(Simulate(shape, {}, [&] { cuda::MultiplyOnce<kKind>(&wrong); }), "");
  return wrong;
}

TEST(SimulatedGroup, MultipliesMatricesInEveryLayout) {
  EXPECT_EQ(WrongValuesOf<cuda::ProductKind::kRegisters>(), 0u);
  EXPECT_EQ(WrongValuesOf<cuda::ProductKind::kMatrices>(), 0u);
  EXPECT_EQ(WrongValuesOf<cuda::ProductKind::kTransposed>(), 0u);
  EXPECT_EQ(WrongValuesOf<cuda::ProductKind::kF16>(), 0u);
  EXPECT_EQ(WrongValuesOf<cuda::ProductKind::kF16Matrices>(), 0u);
  EXPECT_EQ(WrongValuesOf<cuda::ProductKind::kF16Transposed>(), 0u);
  EXPECT_EQ(WrongValuesOf<cuda::ProductKind::kF16WideTransposed>(), 0u);
}

TEST(SimulatedGroup, FindsAMissingWait) { EXPECT_LT(SeedsThatPass({.wait = true}), 10); }

TEST(SimulatedGroup, FindsAMissingCommit) { EXPECT_LT(SeedsThatPass({.commit = true}), 10); }

// A's fragments by the matrix in shared memory, and waits for it.
void Multiply(float (&d)[4][4]) {
  uint32_t a[4];
  cuda::FragmentOfA(a);
  simt::GroupBegin();
  simt::MmaGroup(
      d, a, simt::SharedMatrix(simt::SharedMemory(), kHalfBytes, cuda::kProductTileBytes), false);
  simt::GroupCommit();
  simt::GroupWait<0>();
}

// Each warp waits for its rows of a product, and writes over its part of the matrix.
void WriteOverMatrix(bool sync, bool* ok) {
  cuda::WriteMatrix(simt::SharedMemory(), kColumns, false, cuda::ValueOfB);
  simt::PublishShared();
  simt::SyncBlock();
  float d[4][4];
  Multiply(d);
  if (sync) simt::SyncGroup();
  cuda::WriteMatrix(simt::SharedMemory(), kColumns, false, [](int, int) { return 0.0f; });
  if (cuda::WrongValues(d) != 0) *ok = false;
}

TEST(SimulatedGroup, FindsAWarpThatIsAheadOfItsGroup) {
  for (const bool sync : {true, false}) {
    bool ok = true;
    for (uint64_t seed = 0; seed < 40; ++seed) {
      EXPECT_EQ(Simulate(kOneGroup, {.seed = seed}, [&] { WriteOverMatrix(sync, &ok); }), "");
    }
    EXPECT_EQ(ok, sync);
  }
}

// Phases end one after another, each once another lane has come, and every lane waits for each.
std::string ErrorOfPhases(uint64_t seed, bool sync) {
  return Simulate({.threads = 32, .shared_bytes = 64}, {.seed = seed}, [&] {
    auto* const barrier = reinterpret_cast<uint64_t*>(simt::SharedMemory());
    if (simt::Lane() == 0) simt::CopyBarrierInit(barrier, 1);
    simt::SyncWarp();
    for (int phase = 0; phase < 8; ++phase) {
      if (simt::Lane() == phase) simt::CopyBarrierArrive(barrier, 0);
      simt::CopyBarrierWait(barrier, phase % 2);
      if (sync) simt::SyncWarp();
    }
  });
}

TEST(SimulatedGroup, FindsALaneThatMissesTwoPhases) {
  int errors = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_EQ(ErrorOfPhases(seed, true), "");
    errors += ErrorOfPhases(seed, false).empty() ? 0 : 1;
  }
  EXPECT_GT(errors, 0);
}

TEST(SimulatedGroup, RefusesAProductThatWasNotBegun) {
  EXPECT_NE(ErrorOf({.begin = true}).find("without a GroupBegin"), std::string::npos);
}

TEST(SimulatedGroup, RefusesAProductOfWhatWasNotPublished) {
  EXPECT_NE(ErrorOf({.publish = true}).find("PublishShared"), std::string::npos);
}

// The matrix is written twice, and multiplied after each time.
std::string ErrorOfSecond(bool publish, bool all_of_a_warp = true) {
  return Simulate(kOneGroup, {}, [&] {
    for (int round = 0; round < 2; ++round) {
      cuda::WriteMatrix(simt::SharedMemory(), kColumns, false,
                        [&](int k, int column) { return cuda::ValueOfB(k, column) + round; });
      if (round == 0 || (publish && (all_of_a_warp || simt::Lane() != 5))) simt::PublishShared();
      simt::SyncBlock();
      float d[4][4];
      Multiply(d);
      simt::SyncBlock();
    }
  });
}

TEST(SimulatedGroup, WhatIsWrittenAgainIsToBePublishedAgain) {
  EXPECT_EQ(ErrorOfSecond(true), "");
  EXPECT_NE(ErrorOfSecond(false).find("PublishShared"), std::string::npos);
  EXPECT_NE(ErrorOfSecond(true, false).find("PublishShared"), std::string::npos);
}

TEST(SimulatedGroup, RefusesABulkCopyToWhatWasWrittenAndNotPublished) {
  for (const bool publish : {false, true}) {
    const std::string error = Simulate(kOneGroup, {}, [&] {
      alignas(16) static const int source[4] = {};
      auto* const words = reinterpret_cast<int*>(simt::SharedMemory());
      auto* const barrier = reinterpret_cast<uint64_t*>(simt::SharedMemory() + 64);
      if (simt::ThreadInBlock() < 4) words[simt::ThreadInBlock()] = 7;
      if (publish) simt::PublishShared();
      if (simt::ThreadInBlock() == 0) simt::CopyBarrierInit(barrier, 1);
      simt::SyncBlock();
      if (simt::ThreadInBlock() != 0) return;
      simt::CopyBarrierArrive(barrier, 16);
      simt::CopyBulk(words, source, 16, barrier);
    });
    EXPECT_EQ(error.find("PublishShared") == std::string::npos, publish) << error;
  }
}

// The first group multiplies what two of three groups wrote; the third writes nothing.
std::string ErrorOfTwoOfThree(bool second_publishes) {
  const cuda::LaunchShape three_groups{.threads = 384, .shared_bytes = 2 * kHalfBytes};
  return Simulate(three_groups, {}, [&] {
    simt::SyncBlock();
    const int group = simt::Warp() / 4;
    if (group == 2) return;
    cuda::WriteMatrix(simt::SharedMemory(), kColumns, false, cuda::ValueOfB);
    if (group == 0 || second_publishes) simt::PublishShared();
    simt::SyncFirst<256>();
    if (group == 1) return;
    float d[4][4];
    Multiply(d);
  });
}

TEST(SimulatedGroup, AsksThoseWhoMetWhetherTheyPublished) {
  EXPECT_EQ(ErrorOfTwoOfThree(true), "");
  EXPECT_NE(ErrorOfTwoOfThree(false).find("PublishShared"), std::string::npos);
}

// A thread copies for all, to where another phase's bytes were read.
void CopyInTurn(bool wait, bool announce_all, bool* ok) {
  alignas(16) static const int sources[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
  auto* const words = reinterpret_cast<int*>(simt::SharedMemory());
  auto* const barrier = reinterpret_cast<uint64_t*>(simt::SharedMemory() + 64);
  if (simt::ThreadInBlock() == 0) simt::CopyBarrierInit(barrier, 1);
  simt::SyncBlock();
  for (uint32_t phase = 0; phase < 2; ++phase) {
    if (simt::ThreadInBlock() == 0) {
      simt::CopyBarrierArrive(barrier, announce_all ? 16 : 32);
      simt::CopyBulk(words, sources[phase], 16, barrier);
    }
    if (wait) simt::CopyBarrierWait(barrier, phase);
    if (words[3] != sources[phase][3]) *ok = false;
    simt::SyncBlock();
  }
}

TEST(SimulatedGroup, CountsTheBytesOfBulkCopies) {
  bool ok = true;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_EQ(Simulate(kOneGroup, {.seed = seed}, [&] { CopyInTurn(true, true, &ok); }), "");
  }
  EXPECT_TRUE(ok);
}

TEST(SimulatedGroup, FindsAMissingWaitForABulkCopy) {
  bool ok = true;
  EXPECT_EQ(Simulate(kOneGroup, {}, [&] { CopyInTurn(false, true, &ok); }), "");
  EXPECT_FALSE(ok);
}

TEST(SimulatedGroup, FindsAWaitForBytesThatDoNotCome) {
  bool ok = true;
  const std::string error = Simulate(kOneGroup, {}, [&] { CopyInTurn(true, false, &ok); });
  EXPECT_NE(error.find("copies are waited for that do not come"), std::string::npos) << error;
}

TEST(SimulatedGroup, SynchronisesTheFirstThreads) {
  const cuda::LaunchShape two_groups{.threads = 256, .shared_bytes = 1024};
  for (uint64_t seed = 0; seed < 10; ++seed) {
    bool ok = true;
    EXPECT_EQ(Simulate(two_groups, {.seed = seed},
                       [&] {
                         if (simt::ThreadInBlock() >= 128) return;
                         auto* const words = reinterpret_cast<int*>(simt::SharedMemory());
                         words[simt::ThreadInBlock()] = simt::ThreadInBlock();
                         simt::SyncFirst<128>();
                         const int other = simt::ThreadInBlock() ^ 64;
                         if (words[other] != other) ok = false;
                       }),
              "");
    EXPECT_TRUE(ok);
  }
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
