// Contexts that are made and removed while others are.
#include "services/shard/name_turns.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "absl/time/clock.h"
#include "tests/shard/disk_shard.h"
#include "tests/support/eventually.h"
#include "tests/support/pause.h"

namespace winnow::testing {
namespace {

using shard::NameTurns;

constexpr absl::Duration kSoon = absl::Seconds(30);

TEST(NameTurns, AreOneAtATimeForAName) {
  NameTurns turns;
  std::optional<absl::StatusOr<NameTurns::Turn>> turn = turns.Take("a", absl::InfinitePast());
  ASSERT_TRUE(turn->ok());
  EXPECT_TRUE(turns.Take("b", absl::InfinitePast()).ok());
  ExpectError(turns.Take("a", absl::Now() + absl::Milliseconds(20)).status(),
              absl::StatusCode::kDeadlineExceeded, "DEADLINE");
  bool had_turn = false;
  std::thread next([&] { had_turn = turns.Take("a", absl::Now() + kSoon).ok(); });
  turn.reset();
  next.join();
  EXPECT_TRUE(had_turn);
  EXPECT_TRUE(turns.Take("a", absl::InfinitePast()).ok());
}

using NamedShardTest = DiskShardTest;

TEST_F(NamedShardTest, WhoRemovesAContextThatIsAppendedToHoldsUpNobodyElse) {
  Create("t/a");
  Create("t/b");
  Pause pause("append.before_log");
  std::thread append([this] { EXPECT_TRUE(shard_.Append(0, 100, "t/a").ok()); });
  EXPECT_TRUE(pause.AwaitArrival());
  std::thread removal(
      [this] { EXPECT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/a"}).ok()); });
  const shard::CreateContext again = {
      .context_id = "t/a", .tenant = "t", .profile = shard_.sample.profile(), .placement_key = 77};
  // Once it has its turn, whoever makes the context anew has to wait for it.
  ASSERT_TRUE(Eventually([&] {
    const absl::Time deadline = absl::Now() + absl::Milliseconds(20);
    return absl::IsDeadlineExceeded(shard_.Ask(again, deadline).status());
  }));
  const absl::Time deadline = absl::Now() + kSoon;
  const shard::ForkContext fork = {.context_id = "t/c", .parent_context_id = "t/b"};
  EXPECT_TRUE(shard_.Ask(fork, deadline).ok());
  EXPECT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/b"}, deadline).ok());
  pause.Resume();
  append.join();
  removal.join();
  EXPECT_FALSE(shard_.Describe("t/a").ok());
  EXPECT_TRUE(shard_.Ask(again).ok());
}

}  // namespace
}  // namespace winnow::testing
