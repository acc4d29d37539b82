#include "kernels/cuda/hbm_arena.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "tests/gpu/fake_device.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels::cuda {
namespace {

constexpr size_t kSlab = HbmArena::kSlabBytes;

std::unique_ptr<HbmArena> MakeArena(DeviceApi& device, size_t bytes) {
  std::unique_ptr<HbmArena> arena;
  EXPECT_EQ(HbmArena::Create(device, bytes, &arena), "");
  return arena;
}

TEST(HbmArena, TakesOneAllocationAndGivesItBack) {
  FakeDevice device(TestSeed());
  {
    const auto arena = MakeArena(device, 4 * kSlab + 5);
    EXPECT_EQ(arena->capacity_bytes(), 4 * kSlab);
    for (int i = 0; i < 100; ++i) EXPECT_NE(arena->Take(8448), nullptr);
    EXPECT_EQ(device.calls(FakeDevice::Call::kAllocate), 1);
    EXPECT_EQ(arena->used_bytes(), kSlab * 100 / (kSlab / 8448)) << "of the one slab";
  }
  EXPECT_EQ(device.live(), 0u);
}

TEST(HbmArena, SaysSoWhenItIsFullAndGoesOnAfterAReturn) {
  FakeDevice device(TestSeed());
  const auto arena = MakeArena(device, kSlab);
  std::byte* last = nullptr;
  for (std::byte* page = arena->Take(41984); page != nullptr; page = arena->Take(41984))
    last = page;
  EXPECT_EQ(arena->used_bytes(), kSlab) << "the rest of the slab is of no use";
  EXPECT_EQ(arena->Take(256), nullptr);
  arena->Return(last);
  EXPECT_EQ(arena->Take(256), nullptr) << "the slab still holds pages of another size";
  EXPECT_EQ(arena->Take(41984), last);
}

// As bf16 rows of 1,024 + 256 dims are, of which a slab holds twelve pages.
TEST(HbmArena, IsFullWherePagesLeaveARestOfEachSlab) {
  FakeDevice device(TestSeed());
  const auto arena = MakeArena(device, 3 * kSlab);
  for (int i = 0; i < 3 * 12; ++i) ASSERT_NE(arena->Take(163840), nullptr);
  EXPECT_EQ(arena->used_bytes(), arena->capacity_bytes());
}

TEST(HbmArena, ReusesAnEmptySlabForAnotherSize) {
  FakeDevice device(TestSeed());
  const auto arena = MakeArena(device, kSlab);
  std::byte* small = arena->Take(1000);
  EXPECT_EQ(arena->Take(kSlab), nullptr);
  arena->Return(small);
  EXPECT_NE(arena->Take(kSlab), nullptr);
  EXPECT_EQ(arena->Take(kSlab + 1), nullptr);
}

TEST(HbmArena, PagesNeverOverlap) {
  FakeDevice device(TestSeed());
  RandomData random(TestSeed());
  const auto arena = MakeArena(device, 3 * kSlab);
  std::map<std::byte*, size_t> taken;
  size_t used = 0;
  for (int step = 0; step < 5000; ++step) {
    if (random.Int(0, 2) > 0) {
      const size_t bytes = random.Int(1, 3) * 20000 - 1;
      std::byte* page = arena->Take(bytes);
      if (page == nullptr) continue;
      const auto next = taken.lower_bound(page);
      if (next != taken.end()) {
        ASSERT_LE(page + bytes, next->first);
      }
      if (next != taken.begin()) {
        ASSERT_LE(std::prev(next)->first + std::prev(next)->second, page);
      }
      taken[page] = bytes;
      used += (bytes + 255) / 256 * 256;
    } else if (!taken.empty()) {
      const auto victim =
          std::next(taken.begin(), random.Int(0, static_cast<int>(taken.size()) - 1));
      used -= (victim->second + 255) / 256 * 256;
      arena->Return(victim->first);
      taken.erase(victim);
    }
    ASSERT_GE(arena->used_bytes(), used);
    ASSERT_LE(arena->used_bytes(), arena->capacity_bytes());
  }
  for (const auto& [page, bytes] : taken) arena->Return(page);
  EXPECT_EQ(arena->used_bytes(), 0u);
  for (int slab = 0; slab < 3; ++slab) EXPECT_NE(arena->Take(kSlab), nullptr);
}

TEST(HbmArena, ReportsThatTheDeviceHasNoRoom) {
  FakeDevice device(TestSeed());
  device.LimitMemory(3 * kSlab);
  std::unique_ptr<HbmArena> arena;
  EXPECT_NE(HbmArena::Create(device, 4 * kSlab, &arena).find("out of memory"), std::string::npos);
  EXPECT_EQ(arena, nullptr);
  EXPECT_NE(HbmArena::Create(device, 100, &arena), "");
}

TEST(HbmArena, ServesSeveralThreads) {
  FakeDevice device(TestSeed());
  const auto arena = MakeArena(device, 8 * kSlab);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        std::byte* page = arena->Take(30000);
        if (page != nullptr) arena->Return(page);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(arena->used_bytes(), 0u);
}

}  // namespace
}  // namespace winnow::kernels::cuda
