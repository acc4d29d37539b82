#include "storage/page_arena.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "storage/error.h"
#include "tests/kernels/random_data.h"

namespace winnow {
namespace {

using Page = PageArena::Page;

constexpr size_t kMiB = size_t{1} << 20;

Page Take(PageArena& arena, size_t bytes) {
  absl::StatusOr<Page> page = arena.Allocate(bytes);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? *page : nullptr;
}

std::vector<Page> TakeMany(PageArena& arena, size_t bytes, int count) {
  std::vector<Page> pages;
  for (int i = 0; i < count; ++i) pages.push_back(Take(arena, bytes));
  return pages;
}

bool IsFilledWith(std::byte value, const Page& page, size_t bytes) {
  return std::all_of(page.get(), page.get() + bytes, [=](std::byte b) { return b == value; });
}

void ExpectOverBudget(PageArena& arena, size_t bytes, const char* needed, const char* free) {
  const absl::Status status = arena.Allocate(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(status), "MEMORY_BUDGET");
  EXPECT_EQ(ErrorFacts(status),
            (std::map<std::string, std::string>{{"needed_bytes", needed}, {"free_bytes", free}}));
}

size_t MappedBytes() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

TEST(PageArena, AlignsPagesAndKeepsThemApart) {
  for (const size_t bytes : {size_t{16}, size_t{48}, size_t{64}, size_t{64 * 17}, size_t{64 * 132},
                             size_t{64 * 656}, size_t{3 * kMiB + 16}, size_t{9 * kMiB}}) {
    PageArena arena(0);
    std::vector<Page> pages = TakeMany(arena, bytes, 5);
    std::sort(pages.begin(), pages.end());
    for (const Page& page : pages) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(page.get()) % 64, 0u) << bytes;
    }
    for (size_t i = 1; i < pages.size(); ++i) {
      EXPECT_GE(pages[i].get() - pages[i - 1].get(), static_cast<ptrdiff_t>(bytes));
    }
  }
}

TEST(PageArena, PutsConsecutivePagesSideBySide) {
  PageArena arena(0);
  const std::vector<Page> pages = TakeMany(arena, 4096, 10);
  for (size_t i = 1; i < pages.size(); ++i) {
    EXPECT_EQ(pages[i].get(), pages[i - 1].get() + 4096);
  }
}

TEST(PageArena, HandsOutZeroedBytes) {
  PageArena arena(0);
  for (const size_t bytes : {size_t{64 * 132}, size_t{48}, 9 * kMiB}) {
    const Page page = Take(arena, bytes);
    EXPECT_TRUE(IsFilledWith(std::byte{0}, page, bytes));
  }
}

TEST(PageArena, ZeroesAPageAgainWhenItIsReused) {
  PageArena arena(0);
  for (const size_t bytes : {size_t{48}, size_t{64 * 132}}) {
    const std::vector<Page> neighbours = TakeMany(arena, bytes, 2);
    Page page = Take(arena, bytes);
    std::byte* const address = page.get();
    for (const Page& written : {neighbours[0], page, neighbours[1]}) {
      std::memset(written.get(), 0xa5, bytes);
    }
    page = nullptr;
    page = Take(arena, bytes);
    EXPECT_EQ(page.get(), address);
    EXPECT_TRUE(IsFilledWith(std::byte{0}, page, bytes));
    for (const Page& kept : neighbours) EXPECT_TRUE(IsFilledWith(std::byte{0xa5}, kept, bytes));
  }
}

TEST(PageArena, CountsThePagesThatAreHeld) {
  PageArena arena(0);
  EXPECT_EQ(arena.used_bytes(), 0u);
  Page small = Take(arena, 48);
  EXPECT_EQ(arena.used_bytes(), 48u);
  Page large = Take(arena, 64 * 656);
  EXPECT_EQ(arena.used_bytes(), 48u + 64 * 656);
  Page owner = large;
  large = nullptr;
  EXPECT_EQ(arena.used_bytes(), 48u + 64 * 656);
  owner = nullptr;
  EXPECT_EQ(arena.used_bytes(), 48u);
  small = nullptr;
  EXPECT_EQ(arena.used_bytes(), 0u);
}

TEST(PageArena, RefusesPagesBeyondTheBudget) {
  PageArena arena(1000 * 16);
  ExpectOverBudget(arena, 1001 * 16, "16016", "16000");
  const Page page = Take(arena, 600 * 16);
  ExpectOverBudget(arena, 401 * 16, "6416", "6400");
  EXPECT_EQ(arena.used_bytes(), 600u * 16);
  Page rest = Take(arena, 400 * 16);
  ExpectOverBudget(arena, 16, "16", "0");
  rest = nullptr;
  EXPECT_NE(Take(arena, 400 * 16), nullptr);
}

TEST(PageArena, SaysHowMuchOfTheBudgetIsHeld) {
  PageArena arena(128);
  const Page page = Take(arena, 112);
  EXPECT_THAT(std::string(arena.Allocate(32).status().message()),
              testing::HasSubstr("32 bytes does not fit into the budget: 112 of 128 bytes"));
}

TEST(PageArena, HasNoLimitWithABudgetOfZero) {
  PageArena arena(0);
  const std::vector<Page> pages = TakeMany(arena, 100 * kMiB, 10);
  EXPECT_EQ(arena.used_bytes(), 1000 * kMiB);
}

TEST(PageArena, RefusesWhatTheSystemDoesNotHave) {
  PageArena arena(0);
  const absl::Status status = arena.Allocate(size_t{1} << 60).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(status), "MEMORY_BUDGET");
  EXPECT_EQ(arena.used_bytes(), 0u);
  EXPECT_NE(Take(arena, 64), nullptr);
}

TEST(PageArena, GivesEmptySlabsBackButKeepsOne) {
  PageArena arena(0);
  const size_t before = MappedBytes();
  std::vector<Page> pages = TakeMany(arena, kMiB, 160);
  EXPECT_GE(MappedBytes(), before + 160 * kMiB);
  std::shuffle(pages.begin(), pages.end(), std::mt19937_64(kernels::TestSeed()));
  pages.resize(1);
  EXPECT_LE(MappedBytes(), before + 24 * kMiB);
  pages.clear();
  const size_t idle = MappedBytes();
  EXPECT_LE(idle, before + 12 * kMiB);
  const Page page = Take(arena, kMiB);
  EXPECT_EQ(MappedBytes(), idle);
}

TEST(PageArena, GivesEverythingBackWhenItIsDestroyed) {
  const size_t before = MappedBytes();
  {
    PageArena arena(0);
    TakeMany(arena, 64 * kMiB, 3);
    TakeMany(arena, 80 * kMiB, 1);
    EXPECT_GE(MappedBytes(), before + 144 * kMiB);
  }
  EXPECT_LT(MappedBytes(), before + 16 * kMiB);
}

// Takes and returns pages of its own in random order; false if one was not its own.
bool TakeWriteAndReturn(PageArena& arena, uint64_t seed, std::byte mark) {
  kernels::RandomData random(seed);
  std::vector<std::pair<Page, size_t>> held;
  bool sound = true;
  for (int step = 0; step < 2000; ++step) {
    if (held.size() < 40 && random.Int(0, 2) != 0) {
      const size_t bytes = random.Int(0, 1) == 0 ? 4096 : 64 * 656;
      const Page page = Take(arena, bytes);
      sound &= IsFilledWith(std::byte{0}, page, bytes);
      std::memset(page.get(), static_cast<int>(mark), bytes);
      held.emplace_back(page, bytes);
    } else if (!held.empty()) {
      std::swap(held[random.Int(0, static_cast<int>(held.size()) - 1)], held.back());
      sound &= IsFilledWith(mark, held.back().first, held.back().second);
      held.pop_back();
    }
  }
  return sound;
}

TEST(PageArena, GivesNoPageToTwoThreads) {
  PageArena arena(0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&arena, i] {
      EXPECT_TRUE(TakeWriteAndReturn(arena, kernels::TestSeed() + i, std::byte(i + 1)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(arena.used_bytes(), 0u);
}

TEST(PageArena, NeverExceedsTheBudgetUnderContention) {
  constexpr size_t kBudgetPages = 10;
  PageArena arena(kBudgetPages * 4096);
  std::vector<std::vector<Page>> held(4);
  std::vector<std::thread> threads;
  for (std::vector<Page>& mine : held) {
    threads.emplace_back([&arena, &mine] {
      for (size_t i = 0; i < kBudgetPages; ++i) {
        absl::StatusOr<Page> page = arena.Allocate(4096);
        if (page.ok()) mine.push_back(*std::move(page));
        EXPECT_LE(arena.used_bytes(), kBudgetPages * 4096);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  size_t pages = 0;
  for (const std::vector<Page>& mine : held) pages += mine.size();
  EXPECT_EQ(pages, kBudgetPages);
  EXPECT_EQ(arena.used_bytes(), kBudgetPages * 4096);
}

}  // namespace
}  // namespace winnow
