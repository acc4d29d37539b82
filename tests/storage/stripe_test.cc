#include "storage/stripe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "storage/error.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/stripe_data.h"

namespace winnow {
namespace {

using Facts = std::map<std::string, std::string>;
using kernels::KeyFormat;
using kernels::RowFormat;
using kernels::TestSeed;

constexpr uint64_t kLayers = 3;  // that are stored

class StripeTest : public testing::Test {
 protected:
  void ExpectWritten(uint64_t entries, const absl::StatusOr<uint64_t>& written) {
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_EQ(*written, entries);
  }

  // That an append is refused and changes neither `entries` of all layers nor memory.
  void ExpectRefused(absl::StatusCode code, const std::string& reason, const Facts& facts,
                     uint32_t offset, uint32_t count, const std::vector<LayerBytes>& layers,
                     uint32_t entries) {
    const size_t used = arena_.used_bytes();
    for (const absl::Status& status :
         {stripe_.Append(offset, count, layers).status(), stripe_.Compare(offset, count, layers)}) {
      EXPECT_EQ(status.code(), code);
      EXPECT_EQ(ErrorReason(status), reason);
      EXPECT_EQ(ErrorFacts(status), facts);
    }
    EXPECT_TRUE(data_.IsHeldBy(stripe_, entries));
    EXPECT_EQ(arena_.used_bytes(), used);
  }

  void ExpectConflict(uint32_t entry, int layer, uint32_t offset, uint32_t count,
                      const std::vector<LayerBytes>& layers, uint32_t entries) {
    ExpectRefused(absl::StatusCode::kAborted, "APPEND_CONFLICT",
                  {{"offset", std::to_string(entry)}, {"layer", std::to_string(layer)}}, offset,
                  count, layers, entries);
  }

  void ExpectGap(uint32_t offset, int layer, const std::vector<LayerBytes>& layers,
                 uint32_t entries) {
    ExpectRefused(absl::StatusCode::kOutOfRange, "APPEND_GAP",
                  {{"entries", std::to_string(entries)}, {"layer", std::to_string(layer)}}, offset,
                  1, layers, entries);
  }

  const std::shared_ptr<const Profile> profile_ = StripeProfile();
  const StripeData data_{*profile_, 400, TestSeed()};
  PageArena arena_{0};
  const std::shared_ptr<const ContextStorage> storage_ = MemoryStorage(profile_, &arena_);
  Stripe stripe_{storage_, 0};
};

TEST_F(StripeTest, StartsEmptyAndTakesNoMemory) {
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 0));
  EXPECT_EQ(arena_.used_bytes(), 0u);
}

TEST(Stripe, ReturnsWhatWasAppendedAtOddOffsetsInEveryFormat) {
  kernels::RandomData random(TestSeed());
  for (const KeyFormat key_format :
       {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16, KeyFormat::kInt8}) {
    for (const RowFormat row_format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
      const auto profile = StripeProfile(key_format, row_format);
      const StripeData data(*profile, 300, TestSeed());
      PageArena arena(0);
      Stripe stripe(MemoryStorage(profile, &arena), 0);
      for (uint32_t offset = 0; offset < 300;) {
        const uint32_t count = std::min<uint32_t>(random.Int(1, 90), 300 - offset);
        const absl::StatusOr<uint64_t> written =
            stripe.Append(offset, count, data.Slice(offset, count));
        ASSERT_TRUE(written.ok()) << written.status();
        EXPECT_EQ(*written, kLayers * count);
        offset += count;
        ASSERT_TRUE(data.IsHeldBy(stripe, offset));
      }
    }
  }
}

TEST(Stripe, HoldsAllItsEntriesAndRepeatsThem) {
  const auto profile = StripeProfile();
  const StripeData data(*profile, kStripeEntries, TestSeed());
  PageArena arena(0);
  Stripe stripe(MemoryStorage(profile, &arena), 0);
  EXPECT_EQ(stripe.Append(0, kStripeEntries, data.Slice(0, kStripeEntries)).value_or(0),
            kLayers * kStripeEntries);
  EXPECT_TRUE(data.IsHeldBy(stripe, kStripeEntries));
  EXPECT_EQ(arena.used_bytes(), kStripePages * PageSetBytes(*profile));
  EXPECT_EQ(stripe.Append(kStripeEntries - 1, 1, data.Slice(kStripeEntries - 1, 1)).value_or(9),
            0u);
}

TEST_F(StripeTest, TakesPagesOnlyAsTheyAreNeeded) {
  const size_t set = PageSetBytes(*profile_);
  uint32_t held = 0;
  for (const auto& [end, sets] : {std::pair(1, 1), {63, 1}, {64, 1}, {65, 2}, {200, 4}}) {
    ExpectWritten(kLayers * (end - held), stripe_.Append(0, end, data_.Slice(0, end)));
    EXPECT_EQ(arena_.used_bytes(), sets * set) << end;
    held = end;
  }
}

TEST(Stripe, GivesItsMemoryBack) {
  PageArena arena(0);
  const auto profile = StripeProfile();
  const StripeData data(*profile, 100, TestSeed());
  auto stripe = std::make_unique<Stripe>(MemoryStorage(profile, &arena), 0);
  ASSERT_TRUE(stripe->Append(0, 100, data.Slice(0, 100)).ok());
  EXPECT_EQ(arena.used_bytes(), 2 * PageSetBytes(*profile));
  stripe.reset();
  EXPECT_EQ(arena.used_bytes(), 0u);
}

TEST_F(StripeTest, WritesOnlyWhatARepeatedAppendAdds) {
  ExpectWritten(kLayers * 100, stripe_.Append(0, 100, data_.Slice(0, 100)));
  ExpectWritten(0, stripe_.Append(0, 100, data_.Slice(0, 100)));
  ExpectWritten(0, stripe_.Append(37, 40, data_.Slice(37, 40)));
  ExpectWritten(0, stripe_.Append(100, 0, data_.Slice(100, 0)));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 100));
  ExpectWritten(kLayers * 50, stripe_.Append(60, 90, data_.Slice(60, 90)));
  ExpectWritten(kLayers * 150, stripe_.Append(0, 300, data_.Slice(0, 300)));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 300));
}

TEST_F(StripeTest, LetsLayersGrowApart) {
  ExpectWritten(70, stripe_.Append(0, 70, data_.Slice(0, 70, {3})));
  ExpectWritten(10, stripe_.Append(0, 10, data_.Slice(0, 10, {2})));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 0, 0));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 2, 10));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 3, 70));
  ExpectWritten(65 + 55, stripe_.Append(0, 65, data_.Slice(0, 65)));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 0, 65));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 2, 65));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 3, 70));
}

TEST_F(StripeTest, RefusesOtherBytesAndChangesNothing) {
  ExpectWritten(kLayers * 200, stripe_.Append(0, 200, data_.Slice(0, 200)));
  for (const uint32_t entry : {0, 1, 63, 64, 130, 199}) {
    for (const int layer : {0, 2, 3}) {
      StripeData other = data_;
      other.SpoilRow(layer, entry);
      ExpectConflict(entry, layer, 0, 300, other.Slice(0, 300), 200);
      ExpectConflict(entry, layer, entry, 1, other.Slice(entry, 1), 200);
      if (layer == 2) continue;
      other = data_;
      other.SpoilKey(layer, entry);
      ExpectConflict(entry, layer, 0, 300, other.Slice(0, 300), 200);
    }
  }
  ExpectWritten(kLayers * 100, stripe_.Append(0, 300, data_.Slice(0, 300)));
}

TEST_F(StripeTest, NamesTheFirstEntryThatDiffers) {
  ExpectWritten(kLayers * 200, stripe_.Append(0, 200, data_.Slice(0, 200)));
  StripeData other = data_;
  other.SpoilRow(3, 150);
  other.SpoilKey(3, 149);
  ExpectConflict(149, 3, 7, 193, other.Slice(7, 193), 200);
  other.SpoilRow(3, 20);
  ExpectConflict(20, 3, 7, 193, other.Slice(7, 193), 200);
  other.SpoilKey(3, 19);
  other.SpoilRow(0, 160);
  ExpectConflict(160, 0, 7, 193, other.Slice(7, 193), 200);
}

TEST_F(StripeTest, AcceptsOtherBytesBeyondWhatItHolds) {
  ExpectWritten(kLayers * 100, stripe_.Append(0, 100, data_.Slice(0, 100)));
  StripeData other = data_;
  other.SpoilKey(0, 100);
  other.SpoilRow(3, 100);
  EXPECT_TRUE(stripe_.Compare(90, 20, other.Slice(90, 20)).ok());
  ExpectWritten(kLayers * 10, stripe_.Append(90, 20, other.Slice(90, 20)));
  EXPECT_TRUE(other.IsHeldBy(stripe_, 110));
}

TEST_F(StripeTest, RefusesAGapAndChangesNothing) {
  ExpectGap(1, 0, data_.Slice(1, 1), 0);
  ExpectWritten(kLayers * 100, stripe_.Append(0, 100, data_.Slice(0, 100)));
  ExpectGap(101, 0, data_.Slice(101, 1), 100);
  ExpectGap(128, 3, data_.Slice(128, 1, {3, 2}), 100);
  ExpectWritten(kLayers, stripe_.Append(100, 1, data_.Slice(100, 1)));
}

TEST_F(StripeTest, RefusesAllLayersForAGapInTheLast) {
  ExpectWritten(100, stripe_.Append(0, 100, data_.Slice(0, 100, {0})));
  const absl::Status status = stripe_.Append(100, 50, data_.Slice(100, 50, {0, 2})).status();
  EXPECT_EQ(ErrorFacts(status), (Facts{{"entries", "0"}, {"layer", "2"}}));
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 0, 100));
  EXPECT_EQ(stripe_.entries(2), 0u);
}

TEST_F(StripeTest, ComparesWithoutWriting) {
  EXPECT_TRUE(stripe_.Compare(0, 100, data_.Slice(0, 100)).ok());
  EXPECT_TRUE(data_.IsHeldBy(stripe_, 0));
  EXPECT_EQ(arena_.used_bytes(), 0u);
}

TEST(Stripe, WithoutMemoryChangesNothing) {
  const auto profile = StripeProfile();
  const StripeData data(*profile, 200, TestSeed());
  const size_t budget = 2 * PageSetBytes(*profile);
  PageArena arena(budget);
  Stripe stripe(MemoryStorage(profile, &arena), 0);
  ASSERT_TRUE(stripe.Append(0, 60, data.Slice(0, 60)).ok());
  const absl::Status status = stripe.Append(60, 69, data.Slice(60, 69)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(status), "MEMORY_BUDGET");
  EXPECT_TRUE(data.IsHeldBy(stripe, 60));
  EXPECT_EQ(arena.used_bytes(), budget / 2);
  EXPECT_EQ(stripe.Append(60, 68, data.Slice(60, 68)).value_or(0), kLayers * 68);
  EXPECT_TRUE(data.IsHeldBy(stripe, 128));
  EXPECT_EQ(arena.used_bytes(), budget);
}

}  // namespace
}  // namespace winnow
