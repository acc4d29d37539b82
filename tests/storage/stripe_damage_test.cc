#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/snapshot.h"
#include "storage/stripe.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/fake_mirror.h"
#include "tests/storage/stripe_data.h"
#include "tests/support/temp_dir.h"

namespace winnow {
namespace {

using kernels::TestSeed;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

class StripeDamageTest : public ::testing::Test {
 protected:
  StripeDamageTest() {
    Recovery recovery;
    store_ = EntryStore::Open({.directory = dir_.path()}, &recovery).value();
  }

  std::unique_ptr<Stripe> NewStripe(Durability durability) {
    auto storage = std::make_shared<ContextStorage>(
        ContextStorage{.profile = profile_, .arena = &arena_, .store = store_.get()});
    storage->record = {
        .context_id = "t/a", .tenant = "t", .profile = *profile_, .durability = durability};
    EXPECT_TRUE(store_->AddContext(&storage->record).ok());
    auto stripe = std::make_unique<Stripe>(storage, 0);
    EXPECT_TRUE(stripe->Append(0, 300, data_.Slice(0, 300)).ok());
    return stripe;
  }

  // Turns a bit of a page in memory.
  static void Damage(const Stripe& stripe, int layer, Plane plane, uint32_t page, size_t byte) {
    const Place place = stripe.Pages(layer, plane).value()->page(page);
    const_cast<std::byte*>(place.host)[byte] ^= std::byte{4};
  }

  // Changes a byte in the middle of the largest file.
  static void SpoilLargestFile(const std::string& directory) {
    std::filesystem::directory_entry largest;
    for (const auto& file : std::filesystem::directory_iterator(directory)) {
      if (!largest.exists() || file.file_size() > largest.file_size()) largest = file;
    }
    const auto at = static_cast<std::streamoff>(largest.file_size() / 2);
    std::fstream file(largest.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 1));
  }

  static std::vector<std::string> Verify(Stripe& stripe, Plane plane) {
    std::vector<std::string> damaged;
    const absl::Status status = stripe.Verify(plane, absl::InfiniteFuture(), &damaged);
    EXPECT_TRUE(status.ok()) << status;
    return damaged;
  }

  // All of it as the one part of a snapshot.
  static absl::StatusOr<uint64_t> Save(const std::string& directory,
                                       const std::shared_ptr<Stripe>& stripe,
                                       std::vector<std::string>* damaged) {
    return SavePart(directory, {.record = stripe->context()->record, .entries = 300, .shards = 1},
                    0, 1, {&stripe, 1}, absl::InfiniteFuture(), damaged);
  }

  const testing::TempDir dir_;
  const std::shared_ptr<const Profile> profile_ = StripeProfile();
  const StripeData data_{*profile_, 400, TestSeed()};
  PageArena arena_{0};
  std::unique_ptr<EntryStore> store_;
};

TEST_F(StripeDamageTest, NothingIsFoundWhereNothingIsWrong) {
  for (const Durability durability : {Durability::kMemory, Durability::kLogged}) {
    const auto stripe = NewStripe(durability);
    for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
      EXPECT_THAT(Verify(*stripe, plane), IsEmpty());
      std::vector<std::string> damaged;
      ASSERT_TRUE(stripe->Spill(plane, UINT64_MAX, absl::InfiniteFuture(), &damaged).ok());
      EXPECT_THAT(Verify(*stripe, plane), IsEmpty());
    }
  }
}

TEST_F(StripeDamageTest, AForkDoesNotCopyADamagedPage) {
  for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
    const auto logged = NewStripe(Durability::kLogged);
    Damage(*logged, 0, plane, 4, 17);
    const auto fork = logged->Fork(logged->context(), 290);
    ASSERT_TRUE(fork.ok()) << fork.status();
    EXPECT_EQ((*fork)->Pages(0, plane).value(), nullptr);
    EXPECT_TRUE((*fork)->Compare(0, 290, data_.Slice(0, 290)).ok());
    EXPECT_TRUE(logged->Compare(0, 300, data_.Slice(0, 300)).ok());

    const auto unstored = NewStripe(Durability::kMemory);
    Damage(*unstored, 0, plane, 4, 17);
    const absl::Status refused = unstored->Fork(unstored->context(), 290).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(ErrorReason(refused), "CORRUPT_PAGE") << refused;
    // What is shared keeps its checksum.
    EXPECT_TRUE(unstored->Fork(unstored->context(), 256).ok());
  }
}

TEST_F(StripeDamageTest, ADamagedPageIsReadFromDiskInstead) {
  const auto stripe = NewStripe(Durability::kLogged);
  for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
    Damage(*stripe, 0, plane, 4, 17);
    const std::vector<std::string> damaged = Verify(*stripe, plane);
    ASSERT_THAT(damaged, SizeIs(1));
    EXPECT_THAT(damaged[0], HasSubstr("page 4"));
    EXPECT_THAT(damaged[0], HasSubstr("layer 0"));
    EXPECT_THAT(Verify(*stripe, plane), IsEmpty());
    EXPECT_EQ(stripe->Pages(0, plane).value(), nullptr);
    ASSERT_TRUE(stripe->Restore(0, plane, absl::InfiniteFuture()).ok());
  }
  EXPECT_TRUE(data_.IsHeldBy(*stripe, 300));
}

TEST_F(StripeDamageTest, WithoutAnotherCopyADamagedPageIsNeverServed) {
  const auto stripe = NewStripe(Durability::kMemory);
  Damage(*stripe, 3, Plane::kKv, 0, 5);
  EXPECT_THAT(Verify(*stripe, Plane::kKv), SizeIs(1));
  EXPECT_EQ(ErrorReason(stripe->Pages(3, Plane::kKv).status()), "CORRUPT_PAGE");
  EXPECT_EQ(stripe->Pages(3, Plane::kKv).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(stripe->Pages(0, Plane::kKv).ok());
  EXPECT_TRUE(data_.Matches(*stripe, 0, 0, 300));
}

TEST_F(StripeDamageTest, ADamagedPageIsNotSpilledAndKeepsNoOtherBack) {
  const auto stripe = NewStripe(Durability::kMemory);
  Damage(*stripe, 2, Plane::kKv, 1, 99);
  std::vector<std::string> damaged;
  const absl::StatusOr<uint64_t> spilled =
      stripe->Spill(Plane::kKv, UINT64_MAX, absl::InfiniteFuture(), &damaged);
  ASSERT_TRUE(spilled.ok()) << spilled.status();
  EXPECT_EQ(*spilled, 2 * 300 * profile_->row_bytes());
  ASSERT_THAT(damaged, SizeIs(1));
  EXPECT_THAT(damaged[0], HasSubstr("layer 2, stripe 0, kv: page 1"));
  EXPECT_EQ(ErrorReason(stripe->Pages(2, Plane::kKv).status()), "CORRUPT_PAGE");
  EXPECT_THAT(stripe->ColdLayers(Plane::kKv), ElementsAre(0, 3));
}

TEST_F(StripeDamageTest, WhatIsDamagedOnDiskStaysInMemory) {
  const auto stripe = NewStripe(Durability::kLogged);
  ASSERT_TRUE(store_->Flush().ok());
  SpoilLargestFile(dir_.path());
  std::vector<std::string> found, kept;
  for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
    for (const std::string& damage : Verify(*stripe, plane)) found.push_back(damage);
    ASSERT_TRUE(stripe->Spill(plane, UINT64_MAX, absl::InfiniteFuture(), &kept).ok());
  }
  ASSERT_THAT(found, SizeIs(1));
  ASSERT_THAT(kept, SizeIs(1));
  EXPECT_THAT(kept[0], HasSubstr("damaged on disk, and kept in memory"));
  EXPECT_TRUE(stripe->Compare(0, 300, data_.Slice(0, 300)).ok());
}

TEST_F(StripeDamageTest, ADamagedPageGetsNoCopyOnADevice) {
  FakeMirror mirror(size_t{1} << 30);
  Stripe stripe(MemoryStorage(profile_, &arena_, &mirror), 0);
  ASSERT_TRUE(stripe.Append(0, 300, data_.Slice(0, 300)).ok());
  stripe.DropCopies(Plane::kKv);
  Damage(stripe, 2, Plane::kKv, 1, 99);
  ASSERT_TRUE(stripe.AddCopies(Plane::kKv).ok());
  EXPECT_NE(KvRow(stripe, 0, 70).device, nullptr);
  EXPECT_EQ(KvRow(stripe, 2, 70).device, nullptr);
}

TEST_F(StripeDamageTest, ASnapshotHoldsWhatIsOnDiskInsteadOfADamagedPage) {
  const testing::TempDir snapshots;
  for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
    const std::string directory = snapshots.File(PlaneName(plane));
    const std::shared_ptr<Stripe> stripe = NewStripe(Durability::kLogged);
    Damage(*stripe, 0, plane, 1, 17);
    std::vector<std::string> damaged;
    ASSERT_TRUE(Save(directory, stripe, &damaged).ok());
    ASSERT_THAT(damaged, SizeIs(1));
    EXPECT_THAT(damaged[0], HasSubstr("layer 0, stripe 0"));
    ASSERT_TRUE(FinishSnapshot(directory, stripe->context()->record, {&stripe, 1}).ok());
    const SnapshotPart part = ReadManifest(directory).value().parts.at(0);
    std::map<int, uint32_t> entries;  // by layer
    const absl::Status loaded = LoadPart(
        directory, *profile_, part, [&](uint32_t, uint32_t count, const LayerBytes& bytes) {
          entries[bytes.layer] += count;
          return NewStripe(Durability::kMemory)->Compare(0, count, {&bytes, 1});
        });
    EXPECT_TRUE(loaded.ok()) << loaded;
    EXPECT_THAT(entries, ElementsAre(Pair(0, 300), Pair(2, 300), Pair(3, 300)));
  }
}

TEST_F(StripeDamageTest, WithoutAnotherCopyADamagedPageIsNotSaved) {
  const testing::TempDir snapshots;
  const std::shared_ptr<Stripe> stripe = NewStripe(Durability::kMemory);
  Damage(*stripe, 3, Plane::kKv, 4, 17);
  std::vector<std::string> damaged;
  const absl::Status saved = Save(snapshots.File("s"), stripe, &damaged).status();
  EXPECT_EQ(saved.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrorReason(saved), "CORRUPT_PAGE") << saved;
  EXPECT_THAT(damaged, SizeIs(1));
}

TEST_F(StripeDamageTest, EveryByteOfAPageCounts) {
  PageSet pages(profile_, Plane::kIndex, &arena_, nullptr);
  ASSERT_TRUE(pages.Reserve(64).ok());
  pages.Write(0, 64, data_.Slice(0, 64)[0].index_keys.data());
  EXPECT_EQ(pages.FindDamage(64), std::nullopt);
  const size_t bytes = kernels::KeyPageBytes(profile_->key_format, profile_->index_dim);
  for (size_t i = 0; i < bytes; ++i) {
    auto* byte = const_cast<std::byte*>(pages.page(0).host) + i;
    *byte ^= std::byte{1};
    EXPECT_EQ(pages.FindDamage(64), 0u) << i;
    *byte ^= std::byte{1};
  }
}

}  // namespace
}  // namespace winnow
