// Stripes that go between memory and disk while something else is done with them.
#include <gtest/gtest.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "storage/entry_store.h"
#include "storage/stripe.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/stripe_data.h"
#include "tests/support/pause.h"
#include "tests/support/temp_dir.h"

namespace winnow {
namespace {

using testing::Pause;

class StripeTiersTest : public ::testing::Test {
 protected:
  StripeTiersTest() {
    Recovery recovery;
    store_ = EntryStore::Open({.directory = dir_.path()}, &recovery).value();
    auto storage = std::make_shared<ContextStorage>(
        ContextStorage{.profile = profile_, .arena = &arena_, .store = store_.get()});
    storage->record = {.context_id = "t/a",
                       .tenant = "t",
                       .profile = *profile_,
                       .durability = Durability::kMemory};
    EXPECT_TRUE(store_->AddContext(&storage->record).ok());
    stripe_ = std::make_unique<Stripe>(storage, 0);
    Append(0, 300);
    std::vector<std::string> damaged;
    EXPECT_TRUE(stripe_->Spill(Plane::kKv, UINT64_MAX, absl::InfiniteFuture(), &damaged).ok());
  }

  void Append(uint32_t offset, uint32_t count) {
    const auto written = stripe_->Append(offset, count, data_.Slice(offset, count));
    EXPECT_TRUE(written.ok()) << written.status();
  }

  const testing::TempDir dir_;
  const std::shared_ptr<const Profile> profile_ = StripeProfile();
  const StripeData data_{*profile_, 400, kernels::TestSeed()};
  PageArena arena_{0};
  std::unique_ptr<EntryStore> store_;
  std::unique_ptr<Stripe> stripe_;
};

TEST_F(StripeTiersTest, ARestoreDoesNotLookOnDiskForWhatWasAppendedMeanwhile) {
  absl::Status restored;
  Pause pause("restore.cold");
  std::thread restore([&] { restored = stripe_->Restore(0, Plane::kKv, absl::InfiniteFuture()); });
  ASSERT_TRUE(pause.AwaitArrival());
  Append(300, 100);  // into memory, all of the layer
  pause.Resume();
  restore.join();
  EXPECT_TRUE(restored.ok()) << restored;
  EXPECT_TRUE(data_.Matches(*stripe_, 0, 0, 400));
}

TEST_F(StripeTiersTest, AnAppendWaitsForWhatIsOnDiskUntilItsDeadline) {
  const auto late = [] { return absl::Now() - absl::Seconds(1); };
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(stripe_->Append(300, 100, data_.Slice(300, 100), late()).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(stripe_->Compare(0, 300, data_.Slice(0, 300), late())));
  EXPECT_EQ(stripe_->entries(0), 300u);
  Append(300, 100);
}

TEST_F(StripeTiersTest, AnAppendDoesNotWaitForWhatIsVerifiedOnDisk) {
  std::vector<std::string> damaged;
  Pause pause("verify.stored");
  std::thread verify(
      [&] { EXPECT_TRUE(stripe_->Verify(Plane::kKv, absl::InfiniteFuture(), &damaged).ok()); });
  ASSERT_TRUE(pause.AwaitArrival());
  absl::Notification appended;
  std::thread append([&] {
    Append(300, 100);
    appended.Notify();
  });
  EXPECT_TRUE(appended.WaitForNotificationWithTimeout(absl::Seconds(20)));
  pause.Resume();
  append.join();
  verify.join();
  EXPECT_TRUE(damaged.empty());
}

}  // namespace
}  // namespace winnow
