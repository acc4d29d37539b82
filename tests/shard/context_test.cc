#include "services/shard/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/error.h"
#include "tests/shard/test_shard.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr LayerKind kNone = LayerKind::kNone;
constexpr LayerKind kOwn = LayerKind::kOwn;
constexpr LayerKind kShared = LayerKind::kShared;

// Ids on one page of a tenant's list.
std::vector<std::string> Listed(TestShard& shard, const std::string& tenant,
                                const std::string& after, uint32_t limit) {
  auto list = shard.Ask<shard::ListContextsResult>(
      shard::ListContexts{.tenant = tenant, .after = after, .limit = limit});
  std::vector<std::string> ids;
  for (const shard::ContextState& state : list.value().contexts) ids.push_back(state.context_id);
  return ids;
}

TEST(ShardContexts, ANewContextIsEmptyAndDescribedAsItWasMade) {
  TestShard shard(TinyProfile({kNone, kOwn, kShared}));
  ASSERT_TRUE(shard.Create().ok());
  const shard::ContextState state = shard.Describe().value();
  EXPECT_EQ(state.context_id, "t/a");
  EXPECT_EQ(state.tenant, "t");
  EXPECT_EQ(*state.profile, *shard.sample.profile());
  EXPECT_EQ(state.placement_key, 77u);
  EXPECT_FALSE(state.sealed);
  EXPECT_THAT(state.layer_entries, ElementsAre(0, 0, 0));
  EXPECT_THAT(state.layer_ends, ElementsAre(0, 0, 0));
  EXPECT_EQ(state.index_bytes + state.kv_bytes, 0u);
}

TEST(ShardContexts, CreatingAgainKeepsWhatIsHeld) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 10).ok());
  EXPECT_TRUE(shard.Create().ok());
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(10));
}

TEST(ShardContexts, AnotherProfilePlacementOrTenantUnderTheSameIdIsRefused) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 10).ok());
  const shard::CreateContext same{
      .context_id = "t/a", .tenant = "t", .profile = shard.sample.profile(), .placement_key = 77};
  EXPECT_TRUE(shard.Ask(same).ok());
  shard::CreateContext other_profile = same;
  other_profile.profile = std::make_shared<const Profile>(TinyProfile({kOwn, kOwn}));
  shard::CreateContext other_placement = same;
  other_placement.placement_key = 78;
  shard::CreateContext other_tenant = same;
  other_tenant.tenant = "u";
  for (const shard::CreateContext& other : {other_profile, other_placement, other_tenant}) {
    ExpectError(shard.Ask(other).status(), StatusCode::kAlreadyExists, "CONTEXT_EXISTS");
  }
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(10));
}

TEST(ShardContexts, DescribeCountsEntriesEndsAndBytesOfEachLayer) {
  TestShard shard(TinyProfile({kNone, kOwn, kShared}), 2 * kStripeEntries + 100);
  ASSERT_TRUE(shard.Create().ok());
  // Stripe 1 lies on another shard.
  ASSERT_TRUE(shard.Append(0, kStripeEntries).ok());
  shard::Append third = shard.AppendCall(2 * kStripeEntries, 100);
  third.layers = {shard.sample.Layer(2, 2 * kStripeEntries, 100)};
  ASSERT_TRUE(shard.Ask<shard::AppendResult>(third).ok());
  const shard::ContextState state = shard.Describe().value();
  EXPECT_THAT(state.layer_entries, ElementsAre(0, 4096, 4196));
  EXPECT_THAT(state.layer_ends, ElementsAre(0, 4096, 8292));
  EXPECT_EQ(state.index_bytes, 4096u * 36);
  EXPECT_EQ(state.kv_bytes, (4096u + 4196u) * 96);
}

TEST(ShardContexts, PingCountsContextsEntriesAndBytes) {
  TestShard shard;
  ASSERT_TRUE(shard.Create("t/a").ok());
  ASSERT_TRUE(shard.Create("t/b").ok());
  ASSERT_TRUE(shard.Append(0, 10, "t/a").ok());
  ASSERT_TRUE(shard.Append(0, 3, "t/b").ok());
  const auto ping = shard.Ask<shard::PingResult>(shard::Ping{}).value();
  EXPECT_EQ(ping.contexts, 2u);
  EXPECT_EQ(ping.entries, 13u);
  EXPECT_EQ(ping.index_bytes, 13u * 36);
  EXPECT_EQ(ping.kv_bytes, 13u * 96);
  EXPECT_EQ(ping.threads, 2u);
  EXPECT_EQ(ping.kernels, "reference");
}

TEST(ShardContexts, ListsATenantsContextsInOrderAfterAnId) {
  TestShard shard;
  for (const char* id : {"t/d", "t/b", "t/c", "t/a"}) ASSERT_TRUE(shard.Create(id).ok());
  for (const char* tenant : {"u", "t-"}) {
    ASSERT_TRUE(shard
                    .Ask(shard::CreateContext{.context_id = std::string(tenant) + "/a",
                                              .tenant = tenant,
                                              .profile = shard.sample.profile()})
                    .ok());
  }
  EXPECT_THAT(Listed(shard, "t", "", 10), ElementsAre("t/a", "t/b", "t/c", "t/d"));
  EXPECT_THAT(Listed(shard, "t", "t/b", 10), ElementsAre("t/c", "t/d"));
  EXPECT_THAT(Listed(shard, "t", "t/", 3), ElementsAre("t/a", "t/b", "t/c"));
  EXPECT_THAT(Listed(shard, "u", "", 10), ElementsAre("u/a"));
  EXPECT_THAT(Listed(shard, "t-", "", 10), ElementsAre("t-/a"));
  EXPECT_THAT(Listed(shard, "v", "", 10), IsEmpty());
  EXPECT_THAT(Listed(shard, "t", "t/d", 10), IsEmpty());
}

TEST(ShardContexts, ADeletedContextIsUnknownToEveryCall) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 10).ok());
  ASSERT_TRUE(shard.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  const SampleQuery query = shard.sample.Query({10});
  for (const absl::Status& status :
       {shard.Describe().status(), shard.Append(0, 10).status(), shard.Select(query).status(),
        shard.Attend(shard.AttendCall(shard::AttendPath::kGather)).status(),
        shard.Ask(shard::SealContext{.context_id = "t/a"}).status(),
        shard.Ask(shard::DeleteContext{.context_id = "t/a"}).status(),
        shard.Ask(shard::ForkContext{.context_id = "t/f", .parent_context_id = "t/a"}).status()}) {
    ExpectError(status, StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  }
  EXPECT_THAT(Listed(shard, "t", "", 10), IsEmpty());
  ASSERT_TRUE(shard.Create().ok());
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(0));
}

TEST(ShardContexts, ASealedContextTakesNoEntriesButAnswers) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 100).ok());
  const SampleQuery query = shard.sample.Query({100});
  ASSERT_TRUE(shard.Ask(shard::SealContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(shard.Ask(shard::SealContext{.context_id = "t/a"}).ok());
  EXPECT_TRUE(shard.Describe()->sealed);
  ExpectError(shard.Append(100, 1).status(), StatusCode::kFailedPrecondition, "CONTEXT_SEALED");
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(100));
  EXPECT_EQ(shard.Select(query).value(), shard.sample.Selected(query));
}

TEST(ShardContexts, AForkSharesItsParentsBeginningAndThenGoesItsOwnWay) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 200).ok());
  ASSERT_TRUE(shard.Ask(shard::SealContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(
      shard.Ask(shard::ForkContext{.context_id = "t/f", .parent_context_id = "t/a", .entries = 150})
          .ok());
  EXPECT_THAT(shard.LayerEntries("t/f"), ElementsAre(150));
  EXPECT_FALSE(shard.Describe("t/f")->sealed);
  const SampleQuery query = shard.sample.Query({150});
  EXPECT_EQ(shard.Select(query, 1, "t/f").value(), shard.sample.Selected(query));
  // The fork's 150th entry is the parent's 151st.
  shard::Append other = shard.AppendCall(150, 1, "t/f");
  other.layers = shard.sample.Layers(151, 1);
  ASSERT_TRUE(shard.Ask<shard::AppendResult>(other).ok());
  EXPECT_EQ(shard.Ask<shard::AppendResult>(other)->entries_written, 0u);
  ExpectError(shard.Append(150, 1, "t/f").status(), StatusCode::kAborted, "APPEND_CONFLICT");
  const SampleQuery whole = shard.sample.Query({200});
  EXPECT_EQ(shard.Select(whole, 2).value(), shard.sample.Selected(whole));
  ASSERT_TRUE(shard.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  EXPECT_EQ(shard.Select(query, 3, "t/f").value(), shard.sample.Selected(query));
}

TEST(ShardContexts, AForkOntoAnotherContextIsRefused) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 20).ok());
  ASSERT_TRUE(shard
                  .Ask(shard::CreateContext{.context_id = "t/f",
                                            .tenant = "t",
                                            .profile = shard.sample.profile(),
                                            .placement_key = 5})
                  .ok());
  ExpectError(
      shard.Ask(shard::ForkContext{.context_id = "t/f", .parent_context_id = "t/a", .entries = 20})
          .status(),
      StatusCode::kAlreadyExists, "CONTEXT_EXISTS");
  EXPECT_THAT(shard.LayerEntries("t/f"), ElementsAre(0));
}

TEST(ShardContexts, RepeatingAForkIsNoErrorButAnotherOneUnderItsIdIs) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 200).ok());
  const auto fork = [&](const std::string& id, uint64_t entries) {
    return shard
        .Ask(shard::ForkContext{.context_id = id, .parent_context_id = "t/a", .entries = entries})
        .status();
  };
  ASSERT_TRUE(fork("t/f", 150).ok());
  ASSERT_TRUE(shard.Append(150, 10, "t/f").ok());
  EXPECT_TRUE(fork("t/f", 150).ok());
  ExpectError(fork("t/f", 100), StatusCode::kAlreadyExists, "CONTEXT_EXISTS");
  ExpectError(fork("t/a", 100), StatusCode::kAlreadyExists, "CONTEXT_EXISTS");
  EXPECT_THAT(shard.LayerEntries("t/f"), ElementsAre(160));
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(200));
}

TEST(ShardContexts, ACallAboutAnEarlierContextOfThatNameIsStaleAndChangesNothing) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  const uint64_t earlier = shard.incarnation();
  ASSERT_TRUE(shard.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 50).ok());
  const shard::ContextState before = shard.Describe().value();
  ASSERT_NE(before.incarnation, earlier);
  shard::Append append = shard.AppendCall(50, 5);
  shard::Select select = shard.SelectCall(shard.sample.Query({50}));
  shard::Attend attend = shard.AttendCall(shard::AttendPath::kGather);
  append.incarnation = select.incarnation = attend.incarnation = earlier;
  for (const shard::Call& call :
       {shard::Call(append), shard::Call(select), shard::Call(attend),
        shard::Call(shard::SealContext{.context_id = "t/a", .incarnation = earlier}),
        shard::Call(shard::DeleteContext{.context_id = "t/a", .incarnation = earlier}),
        shard::Call(shard::RenewLease{
            .context_id = "t/a", .incarnation = earlier, .expires_at = absl::Now()}),
        shard::Call(shard::PinContext{.context_id = "t/a", .incarnation = earlier}),
        shard::Call(shard::ForkContext{
            .context_id = "t/f", .parent_context_id = "t/a", .incarnation = earlier}),
        shard::Call(shard::Tier{.context_id = "t/a", .incarnation = earlier, .stripes = 1}),
        shard::Call(shard::SaveSnapshot{
            .context_id = "t/a", .incarnation = earlier, .directory = "/nowhere"})}) {
    ExpectError(shard.Ask(call).status(), StatusCode::kFailedPrecondition, "STALE_CONTEXT");
  }
  const shard::ContextState after = shard.Describe().value();
  EXPECT_EQ(after.incarnation, before.incarnation);
  EXPECT_EQ(after.layer_entries, before.layer_entries);
  EXPECT_FALSE(after.sealed);
  EXPECT_EQ(after.expires_at, absl::InfiniteFuture());
  EXPECT_EQ(after.pinned_until, absl::InfinitePast());
  EXPECT_TRUE(absl::IsNotFound(shard.Describe("t/f").status()));
}

TEST(ShardContexts, AForkOfAnEarlierContextIsNoneOfTheOneThatHasItsNameNow) {
  TestShard shard;
  const shard::ForkContext fork = {.context_id = "t/f", .parent_context_id = "t/a", .entries = 150};
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 200).ok());
  ASSERT_TRUE(shard.Ask(fork).ok());
  EXPECT_TRUE(shard.Ask(fork).ok());
  ASSERT_TRUE(shard.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 200).ok());
  ExpectError(shard.Ask(fork).status(), StatusCode::kAlreadyExists, "CONTEXT_EXISTS");
  ASSERT_TRUE(shard.Ask(shard::DeleteContext{.context_id = "t/f"}).ok());
  EXPECT_TRUE(shard.Ask(fork).ok());
}

TEST(ShardContexts, ADeletionOfWhicheverThereIsNeedsNoIncarnation) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_NE(shard.incarnation(), 0u);
  ASSERT_TRUE(
      shard
          .Ask(shard::DeleteContext{.context_id = "t/a", .incarnation = 5, .any_incarnation = true})
          .ok());
  EXPECT_EQ(shard.incarnation(), 0u);
}

}  // namespace
}  // namespace winnow::testing
