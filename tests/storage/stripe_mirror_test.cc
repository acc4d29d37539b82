#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <utility>

#include "storage/error.h"
#include "storage/stripe.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/fake_mirror.h"
#include "tests/storage/stripe_data.h"

namespace winnow {
namespace {

using kernels::kPageEntries;
using kernels::TestSeed;

class StripeMirrorTest : public testing::Test {
 protected:
  explicit StripeMirrorTest(size_t capacity_bytes = size_t{1} << 30) : mirror_(capacity_bytes) {}

  void Append(Stripe& stripe, uint32_t offset, uint32_t count) {
    const auto written = stripe.Append(offset, count, data_.Slice(offset, count));
    EXPECT_TRUE(written.ok()) << written.status();
    EXPECT_FALSE(mirror_.unpublished());
  }

  // That every entry's copy has the bytes of the entry itself.
  void ExpectMirrored(const Stripe& stripe) const {
    for (const int layer : {0, 2, 3}) {
      for (uint32_t entry = 0; entry < stripe.entries(layer); ++entry) {
        const Place row = KvRow(stripe, layer, entry);
        ASSERT_NE(row.device, nullptr);
        ASSERT_EQ(std::memcmp(row.device, row.host, profile_->row_bytes()), 0)
            << "row " << entry << " of layer " << layer;
        if (!profile_->has_index(layer)) continue;
        const Place page = KeyPage(stripe, layer, entry / kPageEntries);
        ASSERT_EQ(KeyOf(page.device, entry), KeyOf(page.host, entry)) << "key " << entry;
      }
    }
  }

  std::vector<std::byte> KeyOf(const std::byte* page, uint32_t entry) const {
    std::vector<std::byte> key(profile_->key_bytes());
    kernels::ExtractKeys(profile_->key_format, profile_->index_dim, page,
                         static_cast<int>(entry % kPageEntries), 1, key.data());
    return key;
  }

  uint64_t used_bytes() const { return mirror_.usage().used_bytes; }
  uint64_t DropAll(Stripe& stripe) {
    return stripe.DropCopies(Plane::kKv) + stripe.DropCopies(Plane::kIndex);
  }
  absl::Status AddAll(Stripe& stripe) {
    absl::Status status = stripe.AddCopies(Plane::kIndex);
    status.Update(stripe.AddCopies(Plane::kKv));
    return status;
  }

  const std::shared_ptr<const Profile> profile_ = StripeProfile();
  const StripeData data_{*profile_, 400, TestSeed()};
  PageArena arena_{0};
  FakeMirror mirror_;
  const std::shared_ptr<const ContextStorage> storage_ = MemoryStorage(profile_, &arena_, &mirror_);
  std::unique_ptr<Stripe> stripe_ = std::make_unique<Stripe>(storage_, 0);
};

TEST_F(StripeMirrorTest, EveryEntryHasACopyOnTheDevice) {
  for (const auto& [offset, count] : {std::pair{0u, 1u}, {1, 62}, {63, 2}, {65, 200}, {265, 7}}) {
    Append(*stripe_, offset, count);
    ExpectMirrored(*stripe_);
  }
}

TEST_F(StripeMirrorTest, AForkSharesCopiesAndHasOneOfItsPartialPage) {
  Append(*stripe_, 0, 200);
  const absl::StatusOr<std::shared_ptr<Stripe>> fork = stripe_->Fork(stripe_->context(), 150);
  ASSERT_TRUE(fork.ok()) << fork.status();
  EXPECT_FALSE(mirror_.unpublished());
  ExpectMirrored(**fork);
  EXPECT_EQ(KvRow(**fork, 0, 0).device, KvRow(*stripe_, 0, 0).device);
  EXPECT_NE(KvRow(**fork, 0, 149).device, KvRow(*stripe_, 0, 149).device);
  Append(**fork, 150, 100);
  ExpectMirrored(**fork);
  ExpectMirrored(*stripe_);
}

TEST_F(StripeMirrorTest, CopiesAreGivenBackWithTheStripe) {
  Append(*stripe_, 0, 130);
  EXPECT_GT(used_bytes(), 0u);
  stripe_.reset();
  EXPECT_EQ(used_bytes(), 0u);
}

TEST_F(StripeMirrorTest, AFailedDeviceDoesNotKeepEntriesFromBeingHeld) {
  Append(*stripe_, 0, 30);
  mirror_.Fail();
  Append(*stripe_, 30, 100);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 130));
}

TEST_F(StripeMirrorTest, ReadersKeepTheCopiesThatAreDropped) {
  Append(*stripe_, 0, 130);
  const uint64_t kv_bytes = stripe_->mirrored_bytes(Plane::kKv);
  EXPECT_EQ(stripe_->mirrored_bytes(Plane::kIndex) + kv_bytes, used_bytes());
  std::shared_ptr<const PageSet> reader = stripe_->Pages(3, Plane::kKv).value();
  const uint64_t read_bytes = reader->mirrored_bytes();
  EXPECT_EQ(stripe_->DropCopies(Plane::kKv), kv_bytes);
  EXPECT_EQ(stripe_->mirrored_bytes(Plane::kKv), 0u);
  EXPECT_EQ(stripe_->unmirrored_bytes(Plane::kKv), kv_bytes);
  EXPECT_EQ(KvRow(*stripe_, 3, 0).device, nullptr);
  EXPECT_NE(KeyPage(*stripe_, 3, 0).device, nullptr);
  const Place row = reader->row(129);
  ASSERT_NE(row.device, nullptr);
  EXPECT_EQ(std::memcmp(row.device, row.host, profile_->row_bytes()), 0);
  EXPECT_EQ(used_bytes(), stripe_->mirrored_bytes(Plane::kIndex) + read_bytes);
  reader.reset();
  EXPECT_EQ(used_bytes(), stripe_->mirrored_bytes(Plane::kIndex));
  EXPECT_EQ(stripe_->DropCopies(Plane::kKv), 0u);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 130));
}

TEST_F(StripeMirrorTest, CopiesAreDroppedLayerByLayer) {
  Append(*stripe_, 0, 130);
  const uint64_t layer_bytes = stripe_->mirrored_bytes(Plane::kKv) / 3;
  EXPECT_EQ(stripe_->DropCopies(Plane::kKv, 1), layer_bytes);
  EXPECT_EQ(KvRow(*stripe_, 0, 0).device, nullptr);
  EXPECT_EQ(stripe_->DropCopies(Plane::kKv, layer_bytes + 1), 2 * layer_bytes);
}

TEST_F(StripeMirrorTest, AppendsAfterADropGiveNewPagesCopiesAndLeaveOthersWithout) {
  Append(*stripe_, 0, 100);
  DropAll(*stripe_);
  Append(*stripe_, 100, 60);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 160));
  EXPECT_EQ(KvRow(*stripe_, 0, 100).device, nullptr) << "on a page that was dropped";
  EXPECT_NE(KvRow(*stripe_, 0, 130).device, nullptr);
  EXPECT_EQ(stripe_->ColdLayers(Plane::kKv).size(), 0u);
  std::vector<std::string> damaged;
  ASSERT_TRUE(stripe_->Verify(Plane::kKv, absl::InfiniteFuture(), &damaged).ok());
  EXPECT_TRUE(damaged.empty());
}

TEST_F(StripeMirrorTest, CopiesThatAreAddedHaveTheEntriesBytes) {
  Append(*stripe_, 0, 100);
  DropAll(*stripe_);
  Append(*stripe_, 100, 60);
  ASSERT_TRUE(AddAll(*stripe_).ok());
  EXPECT_FALSE(mirror_.unpublished());
  EXPECT_EQ(stripe_->unmirrored_bytes(Plane::kKv) + stripe_->unmirrored_bytes(Plane::kIndex), 0u);
  ExpectMirrored(*stripe_);
  Append(*stripe_, 160, 100);
  ExpectMirrored(*stripe_);
  const uint64_t written = mirror_.written_bytes();
  EXPECT_TRUE(AddAll(*stripe_).ok());
  EXPECT_EQ(mirror_.written_bytes(), written) << "nothing is missing";
}

TEST_F(StripeMirrorTest, ACopyThatAReaderKeepsIsNotTakenForThePageThatGrewSince) {
  Append(*stripe_, 0, 100);
  const std::shared_ptr<const PageSet> reader = stripe_->Pages(0, Plane::kIndex).value();
  DropAll(*stripe_);
  Append(*stripe_, 100, 100);
  ASSERT_TRUE(AddAll(*stripe_).ok());
  ExpectMirrored(*stripe_);
  EXPECT_EQ(KeyPage(*stripe_, 0, 0).device, reader->page(0).device) << "it was full";
  EXPECT_NE(KeyPage(*stripe_, 0, 1).device, reader->page(1).device);
}

TEST_F(StripeMirrorTest, ForksShareTheCopiesOfFullPagesAfterADropToo) {
  Append(*stripe_, 0, 200);
  const std::shared_ptr<Stripe> fork = stripe_->Fork(stripe_->context(), 150).value();
  const uint64_t before = used_bytes();
  DropAll(*stripe_);
  ExpectMirrored(*fork);
  ASSERT_TRUE(AddAll(*stripe_).ok());
  ExpectMirrored(*stripe_);
  EXPECT_EQ(used_bytes(), before);
  EXPECT_EQ(KvRow(*fork, 0, 0).device, KvRow(*stripe_, 0, 0).device);
  DropAll(*stripe_);
  DropAll(*fork);
  EXPECT_EQ(used_bytes(), 0u);
  ASSERT_TRUE(AddAll(*fork).ok());
  ASSERT_TRUE(AddAll(*stripe_).ok());
  ExpectMirrored(*stripe_);
  ExpectMirrored(*fork);
  EXPECT_EQ(used_bytes(), before);
}

TEST_F(StripeMirrorTest, ACompleteSetIsSharedAndKeepsItsForksCopies) {
  const StripeData data(*profile_, kStripeEntries, TestSeed());
  ASSERT_TRUE(stripe_->Append(0, kStripeEntries, data.Slice(0, kStripeEntries)).ok());
  const std::shared_ptr<Stripe> fork = stripe_->Fork(stripe_->context(), kStripeEntries).value();
  const uint64_t before = used_bytes();
  DropAll(*stripe_);
  EXPECT_EQ(used_bytes(), before);
  ExpectMirrored(*fork);
  DropAll(*fork);
  EXPECT_EQ(used_bytes(), 0u);
}

TEST_F(StripeMirrorTest, WhatIsDamagedStaysDamagedAndGetsNoCopies) {
  Append(*stripe_, 0, 130);
  const_cast<std::byte*>(KvRow(*stripe_, 3, 5).host)[0] ^= std::byte{1};
  std::vector<std::string> damaged;
  ASSERT_TRUE(stripe_->Verify(Plane::kKv, absl::InfiniteFuture(), &damaged).ok());
  EXPECT_EQ(damaged.size(), 1u);
  DropAll(*stripe_);
  EXPECT_FALSE(stripe_->Pages(3, Plane::kKv).ok());
  EXPECT_TRUE(AddAll(*stripe_).ok());
  EXPECT_FALSE(stripe_->Pages(3, Plane::kKv).ok());
  EXPECT_NE(KvRow(*stripe_, 0, 5).device, nullptr);
  EXPECT_GT(stripe_->unmirrored_bytes(Plane::kKv), 0u);
}

TEST_F(StripeMirrorTest, AFailedDeviceIsToldAndNothingIsKept) {
  Append(*stripe_, 0, 130);
  DropAll(*stripe_);
  mirror_.Fail();
  EXPECT_EQ(ErrorReason(stripe_->AddCopies(Plane::kKv)), "DEVICE_FAILED");
  EXPECT_EQ(used_bytes(), 0u);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 130));
}

TEST_F(StripeMirrorTest, ReadersFindTheEntriesBytesWhileCopiesComeAndGo) {
  std::atomic<bool> done = false;
  std::thread mover([&] {
    while (!done) {
      DropAll(*stripe_);
      EXPECT_TRUE(AddAll(*stripe_).ok());
    }
  });
  std::thread reader([&] {
    while (!done) {
      const uint32_t entries = stripe_->entries(3);
      if (entries == 0) continue;
      const std::shared_ptr<const PageSet> pages = stripe_->Pages(3, Plane::kKv).value();
      for (uint32_t entry = 0; entry < entries; ++entry) {
        const Place row = pages->row(entry);
        ASSERT_TRUE(row.device == nullptr ||
                    std::memcmp(row.device, row.host, profile_->row_bytes()) == 0);
      }
    }
  });
  for (uint32_t offset = 0; offset < 400; ++offset) {
    EXPECT_TRUE(stripe_->Append(offset, 1, data_.Slice(offset, 1)).ok());
  }
  done = true;
  mover.join();
  reader.join();
  ASSERT_TRUE(AddAll(*stripe_).ok());
  ExpectMirrored(*stripe_);
  stripe_.reset();
  EXPECT_EQ(used_bytes(), 0u);
}

// Room for the three pages of both planes of layer 0 and of one plane more, at most.
class FullDeviceTest : public StripeMirrorTest {
 protected:
  FullDeviceTest()
      : StripeMirrorTest(
            3 * (kernels::KeyPageBytes(StripeProfile()->key_format, StripeProfile()->index_dim) +
                 kPageEntries * StripeProfile()->row_bytes()) -
            1) {}
};

TEST_F(FullDeviceTest, PagesWithoutRoomAreHeldByTheHostAlone) {
  Append(*stripe_, 0, 200);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 200));
  EXPECT_NE(KeyPage(*stripe_, 0, 0).device, nullptr);
  EXPECT_EQ(KvRow(*stripe_, 3, 199).device, nullptr);
}

TEST_F(FullDeviceTest, WithoutRoomForAllOfALayerNothingIsAdded) {
  Append(*stripe_, 0, 150);
  DropAll(*stripe_);
  ASSERT_EQ(used_bytes(), 0u);
  ASSERT_TRUE(stripe_->AddCopies(Plane::kIndex).ok());
  const uint64_t index_bytes = used_bytes();
  const uint64_t written = mirror_.written_bytes();
  ASSERT_GT(index_bytes, 0u);
  const absl::Status status = stripe_->AddCopies(Plane::kKv);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(status), "DEVICE_MEMORY");
  EXPECT_EQ(used_bytes(), index_bytes);
  EXPECT_EQ(mirror_.written_bytes(), written);
  EXPECT_EQ(stripe_->mirrored_bytes(Plane::kKv), 0u);
  EXPECT_TRUE(data_.IsHeldBy(*stripe_, 150));
}

}  // namespace
}  // namespace winnow
