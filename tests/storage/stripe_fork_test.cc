#include <gtest/gtest.h>

#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/stripe.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/stripe_data.h"
#include "tests/support/temp_dir.h"

namespace winnow {
namespace {

using kernels::KeyFormat;
using kernels::TestSeed;

std::shared_ptr<Stripe> ForkOf(Stripe& stripe, uint32_t entries) {
  absl::StatusOr<std::shared_ptr<Stripe>> fork = stripe.Fork(stripe.context(), entries);
  EXPECT_TRUE(fork.ok()) << fork.status();
  return fork.value_or(nullptr);
}

class StripeForkTest : public ::testing::Test {
 protected:
  StripeForkTest() { Append(*stripe_, data_, 0, 200); }

  static void Append(Stripe& stripe, const StripeData& data, uint32_t offset, uint32_t count) {
    const auto written = stripe.Append(offset, count, data.Slice(offset, count));
    EXPECT_TRUE(written.ok()) << written.status();
  }

  // Bytes of the arena in units of a page of every plane and layer.
  double PageSets() const { return 1.0 * arena_.used_bytes() / PageSetBytes(*profile_); }

  const std::shared_ptr<const Profile> profile_ = StripeProfile();
  const StripeData data_{*profile_, 400, TestSeed()};
  const StripeData other_{*profile_, 400, TestSeed() + 1};
  PageArena arena_{0};
  const std::shared_ptr<const ContextStorage> storage_ = MemoryStorage(profile_, &arena_);
  std::unique_ptr<Stripe> stripe_ = std::make_unique<Stripe>(storage_, 0);
};

TEST_F(StripeForkTest, SharesFullPagesAndCopiesThePartialOne) {
  const auto fork = ForkOf(*stripe_, 150);
  EXPECT_TRUE(data_.IsHeldBy(*fork, 150));
  for (const int layer : {0, 2, 3}) {
    for (const uint32_t page : {0, 1}) {
      EXPECT_EQ(KeyPage(*fork, layer, page), KeyPage(*stripe_, layer, page));
      EXPECT_EQ(KvRow(*fork, layer, 64 * page), KvRow(*stripe_, layer, 64 * page));
    }
    EXPECT_NE(KvRow(*fork, layer, 128), KvRow(*stripe_, layer, 128));
  }
  EXPECT_NE(KeyPage(*fork, 0, 2), KeyPage(*stripe_, 0, 2));
  EXPECT_EQ(PageSets(), 4 + 1);
}

TEST_F(StripeForkTest, OfAFullStripeIsFreeOnceBothAreSpilled) {
  const testing::TempDir directory;
  Recovery recovery;
  const auto store = EntryStore::Open({.directory = directory.path()}, &recovery).value();
  auto storage = std::make_shared<ContextStorage>(*storage_);
  storage->store = store.get();
  storage->record = {.context_id = "t/a", .tenant = "t", .profile = *profile_};
  ASSERT_TRUE(store->AddContext(&storage->record).ok());
  const StripeData data(*profile_, kStripeEntries, TestSeed());
  Stripe stripe(storage, 0);
  Append(stripe, data, 0, kStripeEntries);
  const auto fork = ForkOf(stripe, kStripeEntries);
  const uint64_t bytes = stripe.resident_bytes(Plane::kKv);
  const uint64_t used = arena_.used_bytes();
  std::vector<std::string> damaged;
  EXPECT_EQ(fork->Spill(Plane::kKv, UINT64_MAX, absl::InfiniteFuture(), &damaged).value(), 0u);
  EXPECT_EQ(arena_.used_bytes(), used);
  EXPECT_EQ(stripe.Spill(Plane::kKv, UINT64_MAX, absl::InfiniteFuture(), &damaged).value(), bytes);
  EXPECT_LE(arena_.used_bytes(), used - bytes);
  ASSERT_TRUE(fork->Restore(0, Plane::kKv, absl::InfiniteFuture()).ok());
  EXPECT_TRUE(data.Matches(*fork, 0, 0, kStripeEntries));
}

TEST_F(StripeForkTest, AtAPageBoundaryTakesNoMemory) {
  const auto fork = ForkOf(*stripe_, 128);
  EXPECT_TRUE(data_.IsHeldBy(*fork, 128));
  EXPECT_EQ(PageSets(), 4);
}

TEST_F(StripeForkTest, AtZeroIsEmpty) {
  const auto fork = ForkOf(*stripe_, 0);
  EXPECT_TRUE(data_.IsHeldBy(*fork, 0));
  EXPECT_EQ(PageSets(), 4);
  Append(*fork, other_, 0, 10);
  EXPECT_TRUE(other_.IsHeldBy(*fork, 10));
}

TEST_F(StripeForkTest, BeyondTheEndHasWhatThereIs) {
  EXPECT_TRUE(data_.IsHeldBy(*ForkOf(*stripe_, 201), 200));
  EXPECT_TRUE(data_.IsHeldBy(*ForkOf(*stripe_, kStripeEntries), 200));
}

TEST_F(StripeForkTest, CutsEachLayerByItself) {
  ASSERT_TRUE(stripe_->Append(200, 90, data_.Slice(200, 90, {2})).ok());
  const auto fork = ForkOf(*stripe_, 250);
  EXPECT_TRUE(data_.IsHeldBy(*fork, 0, 200));
  EXPECT_TRUE(data_.IsHeldBy(*fork, 2, 250));
  EXPECT_TRUE(data_.IsHeldBy(*fork, 3, 200));
}

TEST_F(StripeForkTest, DivergesFromItsParent) {
  for (const uint32_t cut : {0, 1, 63, 64, 65, 127, 128, 199, 200}) {
    const auto fork = ForkOf(*stripe_, cut);
    Append(*fork, other_, cut, 150);
    EXPECT_TRUE(data_.IsHeldBy(*stripe_, 200));
    EXPECT_EQ(fork->entries(0), cut + 150);
    for (const int layer : {0, 2, 3}) {
      EXPECT_TRUE(data_.Matches(*fork, layer, 0, cut));
      EXPECT_TRUE(other_.Matches(*fork, layer, cut, 150));
    }
  }
  const auto fork = ForkOf(*stripe_, 200);
  Append(*stripe_, data_, 200, 100);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 300));
  EXPECT_TRUE(data_.IsHeldBy(*fork, 200));
}

TEST_F(StripeForkTest, CopiesTheTailOfEveryFormat) {
  for (const KeyFormat format :
       {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16, KeyFormat::kInt8}) {
    const auto profile = StripeProfile(format, kernels::RowFormat::kBf16);
    const StripeData data(*profile, 110, TestSeed());
    Stripe stripe(MemoryStorage(profile, &arena_), 0);
    Append(stripe, data, 0, 110);
    EXPECT_TRUE(data.IsHeldBy(*ForkOf(stripe, 101), 101));
  }
}

TEST_F(StripeForkTest, RefusesOtherBytesForWhatItShares) {
  const auto fork = ForkOf(*stripe_, 150);
  for (const uint32_t entry : {5, 140}) {
    const absl::Status status = fork->Append(entry, 20, other_.Slice(entry, 20)).status();
    EXPECT_EQ(ErrorReason(status), "APPEND_CONFLICT");
    EXPECT_EQ(ErrorFacts(status)["offset"], std::to_string(entry));
  }
  EXPECT_TRUE(data_.IsHeldBy(*fork, 150));
}

TEST_F(StripeForkTest, OutlivesItsParent) {
  const auto fork = ForkOf(*stripe_, 150);
  stripe_.reset();
  EXPECT_EQ(PageSets(), 3);
  EXPECT_TRUE(data_.IsHeldBy(*fork, 150));
  Append(*fork, data_, 150, 50);
  EXPECT_TRUE(data_.IsHeldBy(*fork, 200));
}

TEST_F(StripeForkTest, MayBeForkedAgain) {
  const auto fork = ForkOf(*stripe_, 150);
  const auto again = ForkOf(*fork, 130);
  EXPECT_EQ(KeyPage(*again, 3, 1), KeyPage(*stripe_, 3, 1));
  EXPECT_NE(KvRow(*again, 2, 128), KvRow(*fork, 2, 128));
  EXPECT_TRUE(data_.IsHeldBy(*again, 130));
  EXPECT_EQ(PageSets(), 4 + 1 + 1);
}

TEST_F(StripeForkTest, WithoutMemoryLeavesNothingBehind) {
  const size_t budget = 3 * PageSetBytes(*profile_) - 1;
  PageArena arena(budget);
  Stripe stripe(MemoryStorage(profile_, &arena), 0);
  Append(stripe, data_, 0, 100);
  EXPECT_EQ(stripe.Fork(stripe.context(), 70).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(arena.used_bytes(), 2 * PageSetBytes(*profile_));
  EXPECT_TRUE(data_.IsHeldBy(stripe, 100));
  EXPECT_TRUE(data_.IsHeldBy(*ForkOf(stripe, 64), 64));
}

}  // namespace
}  // namespace winnow
