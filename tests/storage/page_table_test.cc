// Lists, on the device, of where the copies of index pages are.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>

#include "storage/stripe.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/fake_mirror.h"
#include "tests/storage/stripe_data.h"

namespace winnow {
namespace {

using kernels::kPageEntries;
using kernels::TestSeed;

constexpr uint64_t kTableBytes = kStripePages * 8;
constexpr int kLayer = 3;

uint32_t PagesFor(uint32_t entries) { return (entries + kPageEntries - 1) / kPageEntries; }

// That the list has each page's copy, as the words that the header tells of.
void ExpectListed(const PageSet& pages, uint32_t entries) {
  const std::byte* const* table = pages.table(PagesFor(entries));
  ASSERT_NE(table, nullptr);
  for (uint32_t page = 0; page < PagesFor(entries); ++page) {
    uint64_t word = 0;
    for (size_t i = 0; i < 8; ++i) {
      word |= uint64_t{reinterpret_cast<const uint8_t*>(table)[8 * page + i]} << 8 * i;
    }
    ASSERT_NE(pages.page(page).device, nullptr);
    ASSERT_EQ(word, reinterpret_cast<uintptr_t>(pages.page(page).device)) << "page " << page;
  }
}

class PageTableTest : public testing::Test {
 protected:
  void Append(Stripe& stripe, uint32_t offset, uint32_t count) {
    const auto written = stripe.Append(offset, count, data_.Slice(offset, count));
    EXPECT_TRUE(written.ok()) << written.status();
    EXPECT_FALSE(mirror_.unpublished());
  }
  static std::shared_ptr<const PageSet> Index(const Stripe& stripe) {
    return stripe.Pages(kLayer, Plane::kIndex).value();
  }
  static void ExpectListed(const Stripe& stripe) {
    winnow::ExpectListed(*Index(stripe), stripe.entries(kLayer));
  }

  const std::shared_ptr<const Profile> profile_ = StripeProfile();
  const StripeData data_{*profile_, kStripeEntries, TestSeed()};
  PageArena arena_{0};
  FakeMirror mirror_{uint64_t{1} << 30};
  const std::shared_ptr<const ContextStorage> storage_ = MemoryStorage(profile_, &arena_, &mirror_);
  std::unique_ptr<Stripe> stripe_ = std::make_unique<Stripe>(storage_, 0);
};

TEST_F(PageTableTest, ListsThePagesOfEveryCountOfEntries) {
  for (const auto& [offset, count] :
       {std::pair{0u, 1u}, {1, 62}, {63, 1}, {64, 1}, {65, 200}, {265, 3800}, {4065, 31}}) {
    Append(*stripe_, offset, count);
    ExpectListed(*stripe_);
  }
  EXPECT_EQ(stripe_->entries(kLayer), kStripeEntries);
  EXPECT_EQ(stripe_->Pages(kLayer, Plane::kKv).value()->table(1), nullptr) << "rows need none";
}

TEST_F(PageTableTest, SendsEachAddressOnce) {
  Append(*stripe_, 0, 1);
  const uint64_t before = mirror_.written_bytes();
  Append(*stripe_, 1, 1);
  const uint64_t of_an_entry = mirror_.written_bytes() - before;
  Append(*stripe_, 2, 62);
  const uint64_t full = mirror_.written_bytes();
  Append(*stripe_, 64, 1);
  uint64_t lists = 0;
  for (const int layer : {0, 2, 3}) lists += profile_->has_index(layer) ? 8 : 0;
  EXPECT_EQ(mirror_.written_bytes() - full, of_an_entry + lists);
}

TEST_F(PageTableTest, AReaderOfAnOlderSetKeepsItsList) {
  Append(*stripe_, 0, 100);
  const std::shared_ptr<const PageSet> reader = Index(*stripe_);
  stripe_->DropCopies(Plane::kIndex);
  EXPECT_EQ(Index(*stripe_)->table(1), nullptr);
  Append(*stripe_, 100, 300);
  EXPECT_EQ(Index(*stripe_)->table(1), nullptr) << "the first pages have no copies";
  winnow::ExpectListed(*reader, 100);
  ASSERT_TRUE(stripe_->AddCopies(Plane::kIndex).ok());
  EXPECT_FALSE(mirror_.unpublished());
  ExpectListed(*stripe_);
  winnow::ExpectListed(*reader, 100);
  EXPECT_NE(reader->table(1), Index(*stripe_)->table(1));
  Append(*stripe_, 400, 300);
  ExpectListed(*stripe_);
}

TEST_F(PageTableTest, ForksHaveListsOfTheirOwn) {
  Append(*stripe_, 0, 200);
  for (const uint32_t entries : {64u, 150u, 192u}) {
    const std::shared_ptr<Stripe> fork = stripe_->Fork(stripe_->context(), entries).value();
    EXPECT_FALSE(mirror_.unpublished());
    ExpectListed(*fork);
    Append(*fork, entries, 300);
    ExpectListed(*fork);
    ExpectListed(*stripe_);
  }
  Append(*stripe_, 200, 100);
  ExpectListed(*stripe_);
}

TEST_F(PageTableTest, ListsAreGivenBackWithTheirSets) {
  uint64_t lists = 0;
  for (const int layer : {0, 2, 3}) lists += profile_->has_index(layer) ? kTableBytes : 0;
  Append(*stripe_, 0, 200);
  EXPECT_EQ(mirror_.table_bytes(), lists);
  const std::shared_ptr<Stripe> fork = stripe_->Fork(stripe_->context(), 150).value();
  EXPECT_EQ(mirror_.table_bytes(), 2 * lists);
  stripe_->DropCopies(Plane::kIndex);
  EXPECT_EQ(mirror_.table_bytes(), lists);
  stripe_.reset();
  fork->DropCopies(Plane::kIndex);
  EXPECT_EQ(mirror_.table_bytes(), 0u);
}

TEST_F(PageTableTest, WithoutRoomForAListPagesHaveTheirCopiesAllTheSame) {
  mirror_.LimitTables(kTableBytes - 1);
  Append(*stripe_, 0, 100);
  EXPECT_EQ(Index(*stripe_)->table(1), nullptr);
  EXPECT_EQ(stripe_->unmirrored_bytes(Plane::kIndex), 0u);
  // What is readable is not listed later, as it would be found before it is published.
  mirror_.LimitTables(UINT64_MAX);
  Append(*stripe_, 100, 100);
  EXPECT_EQ(Index(*stripe_)->table(1), nullptr);
  stripe_->DropCopies(Plane::kIndex);
  ASSERT_TRUE(stripe_->AddCopies(Plane::kIndex).ok());
  ExpectListed(*stripe_);
}

TEST_F(PageTableTest, AnAppendThatFailsLeavesTheListAsItWas) {
  PageArena arena(8 * PageSetBytes(*profile_));
  Stripe stripe(MemoryStorage(profile_, &arena, &mirror_), 0);
  Append(stripe, 0, 100);
  EXPECT_FALSE(stripe.Append(100, 3000, data_.Slice(100, 3000)).ok());
  ExpectListed(stripe);
  EXPECT_EQ(Index(stripe)->table(3), nullptr);
  Append(stripe, 100, 200);
  ExpectListed(stripe);
}

TEST_F(PageTableTest, AFailedDeviceListsNothingMore) {
  Append(*stripe_, 0, 64);
  mirror_.Fail();
  const auto written = stripe_->Append(64, 64, data_.Slice(64, 64));
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(Index(*stripe_)->table(2), nullptr);
  EXPECT_NE(Index(*stripe_)->table(1), nullptr);
}

TEST_F(PageTableTest, ReadersFindWhatTheyKnowOfListedWhileEntriesAreAppended) {
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      const uint32_t entries = stripe_->entries(kLayer);
      if (entries != 0) winnow::ExpectListed(*Index(*stripe_), entries);
    }
  });
  for (uint32_t offset = 0; offset < kStripeEntries; offset += 32) Append(*stripe_, offset, 32);
  done = true;
  reader.join();
  ExpectListed(*stripe_);
}

}  // namespace
}  // namespace winnow
