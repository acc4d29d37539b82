// What becomes of contexts that are removed while a shard works on them in the background.
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "services/shard/restorer.h"
#include "services/shard/scrubber.h"
#include "services/shard/spiller.h"
#include "storage/error.h"
#include "tests/shard/disk_contexts.h"
#include "tests/support/eventually.h"

namespace winnow::shard {
namespace {

using winnow::testing::Eventually;
using winnow::testing::ExpectError;

class RemovedContextTest : public DiskContextsTest {
 protected:
  void SpillAll() {
    for (const auto& context : contexts_) {
      std::vector<std::string> damaged;
      for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
        EXPECT_TRUE(context->Spill(plane, UINT64_MAX, absl::InfiniteFuture(), &damaged).ok());
      }
    }
  }

  static bool IsResident(const Context& context) {
    return context.resident_bytes(Plane::kIndex) != 0 && context.resident_bytes(Plane::kKv) != 0;
  }
};

TEST_F(RemovedContextTest, VerifyingInTheBackgroundKeepsNothingOfThem) {
  for (const char* id : {"t/a", "t/b"}) Add(id);
  Damage(*contexts_.front(), 0);
  absl::Notification begun;
  // At this rate the first stripe makes it rest for a day.
  const Scrubber scrubber(
      1, [this] { return contexts_; }, [&](const auto&, const auto&) { begun.Notify(); },
      absl::ZeroDuration());
  ASSERT_TRUE(begun.WaitForNotificationWithTimeout(absl::Seconds(60)));
  for (const auto& context : contexts_) ASSERT_TRUE(context->Remove().ok());
  contexts_.clear();
  EXPECT_TRUE(Eventually([this] { return arena_.used_bytes() == 0; }));
}

TEST_F(RemovedContextTest, TheyAreNotBroughtBackIntoMemory) {
  for (const char* id : {"t/removed", "t/kept"}) Add(id);
  SpillAll();
  Spiller spiller(
      &arena_, /*can_spill=*/true, [this] { return contexts_; }, [](const auto&, const auto&) {});
  ASSERT_TRUE(contexts_.front()->Remove().ok());
  Restorer restorer(&arena_, &spiller);
  for (const auto& context : contexts_) restorer.Wants(context);
  EXPECT_TRUE(Eventually([this] { return IsResident(*contexts_.back()); }));
  EXPECT_FALSE(IsResident(*contexts_.front()));
}

TEST_F(RemovedContextTest, WhatAnOperatorDoesToThemEnds) {
  Context& context = Add("t/a");
  const Tier call = {.action = TierAction::kSpill, .context_id = "t/a", .stripes = 10};
  ASSERT_TRUE(context.Remove().ok());
  ExpectError(context.Apply(call, absl::InfiniteFuture(), nullptr).status(),
              absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  EXPECT_TRUE(IsResident(context));
}

TEST_F(RemovedContextTest, WhatAnOperatorDoesEndsByItsDeadline) {
  Context& context = Add("t/a");
  for (const TierAction action : {TierAction::kSpill, TierAction::kVerify}) {
    ExpectError(context
                    .Apply({.action = action, .context_id = "t/a", .stripes = 10},
                           absl::Now() - absl::Seconds(1), nullptr)
                    .status(),
                absl::StatusCode::kDeadlineExceeded, "DEADLINE");
  }
  EXPECT_TRUE(IsResident(context));
}

}  // namespace
}  // namespace winnow::shard
