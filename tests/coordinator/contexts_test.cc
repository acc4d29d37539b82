#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "absl/strings/str_cat.h"
#include "services/coordinator/local_shard_channel.h"
#include "services/shard/compute.h"
#include "storage/error.h"
#include "tests/support/local_cluster.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace winnow::testing;

constexpr LayerKind kNone = LayerKind::kNone;
constexpr LayerKind kOwn = LayerKind::kOwn;
constexpr LayerKind kShared = LayerKind::kShared;

// All ids of a tenant, page by page; each page is at most `page_size` long.
std::vector<std::string> AllIds(LocalCluster& cluster, const std::string& tenant,
                                uint32_t page_size) {
  std::vector<std::string> ids;
  std::string after;
  for (int pages = 0; pages < 100; ++pages) {
    const ContextPage page =
        cluster.coordinator().ListContexts(tenant, after, page_size, Unhurried()).value();
    EXPECT_LE(page.contexts.size(), page_size);
    for (const ContextInfo& info : page.contexts) ids.push_back(info.context_id);
    if (page.next.empty()) return ids;
    EXPECT_GT(page.next, after);
    after = page.next;
  }
  ADD_FAILURE() << "the list does not end";
  return ids;
}

TEST(Profiles, AreRegisteredOnceAndListed) {
  LocalCluster cluster(2);
  const Profile tiny = TinyProfile();
  const Profile glm = PresetProfile("glm-5.2").value();
  const std::string fingerprint = cluster.coordinator().RegisterProfile(tiny).value();
  EXPECT_EQ(fingerprint, Fingerprint(tiny));
  EXPECT_EQ(cluster.coordinator().RegisterProfile(tiny).value(), fingerprint);
  ASSERT_TRUE(cluster.coordinator().RegisterProfile(glm).ok());
  const auto listed = cluster.NewCoordinator()->ListProfiles().value();
  EXPECT_THAT(listed, ::testing::UnorderedElementsAre(std::pair(fingerprint, tiny),
                                                      std::pair(Fingerprint(glm), glm)));
  Profile bad = tiny;
  bad.index_dim = 33;
  ExpectError(cluster.coordinator().RegisterProfile(bad).status(), StatusCode::kInvalidArgument,
              "BAD_FIELD");
}

TEST(Contexts, NeedARegisteredProfileAndAName) {
  LocalCluster cluster(2);
  Coordinator& coordinator = cluster.coordinator();
  ExpectError(coordinator.CreateContext(Name(), std::string(32, '0'), Unhurried()).status(),
              StatusCode::kNotFound, "UNKNOWN_PROFILE");
  const std::string fingerprint = coordinator.RegisterProfile(TinyProfile()).value();
  for (const char* id : {"a/b", "ä", "a b"}) {
    ExpectError(coordinator.CreateContext(Name(id), fingerprint, Unhurried()).status(),
                StatusCode::kInvalidArgument, "BAD_FIELD");
  }
  EXPECT_EQ(cluster.shard(0).calls<shard::CreateContext>(), 0);
}

TEST(Contexts, CreatingAgainIsAcceptedWithTheSameProfileOnly) {
  LocalCluster cluster(2);
  Sample sample(TinyProfile(), 100, kernels::TestSeed());
  cluster.Load(sample);
  cluster.Create(sample);
  const std::string other =
      cluster.coordinator().RegisterProfile(TinyProfile({kOwn, kOwn})).value();
  ExpectError(cluster.coordinator().CreateContext(Name(), other, Unhurried()).status(),
              StatusCode::kAlreadyExists, "CONTEXT_EXISTS");
  cluster.ExpectHolds(sample, 100);
}

TEST(Contexts, TheServiceChoosesIdsThatDiffer) {
  LocalCluster cluster(2);
  const std::string fingerprint = cluster.coordinator().RegisterProfile(TinyProfile()).value();
  const auto create = [&] {
    return cluster.coordinator().CreateContext(Name(""), fingerprint, Unhurried()).value();
  };
  const std::string a = create();
  const std::string b = create();
  EXPECT_NE(a, b);
  EXPECT_EQ(cluster.Entries(a), 0u);
  EXPECT_EQ(cluster.Entries(b), 0u);
}

TEST(Contexts, DescribeAddsUpWhatTheShardsHold) {
  LocalCluster cluster(3);
  Sample sample(TinyProfile({kOwn, kNone, kShared}), 2 * kStripeEntries + 10, kernels::TestSeed());
  cluster.Load(sample);
  const LayerBytes more = sample.Layer(0, 0, 7);
  ASSERT_TRUE(cluster.coordinator()
                  .Append({.context = Name(),
                           .start_position = 2 * kStripeEntries + 10,
                           .count = 7,
                           .layers = {more}},
                          Unhurried())
                  .ok());
  const auto [info, profile] = cluster.coordinator().DescribeContext(Name(), Unhurried()).value();
  EXPECT_EQ(*profile, *sample.profile());
  EXPECT_EQ(info.context_id, "a");
  EXPECT_EQ(info.tenant, "t");
  EXPECT_EQ(info.profile_fingerprint, Fingerprint(*profile));
  EXPECT_EQ(info.entries, 8202u);
  EXPECT_THAT(info.layer_entries, ElementsAre(8209, 0, 8202));
  EXPECT_EQ(info.index_bytes, 8209u * 36);
  EXPECT_EQ(info.kv_bytes, (8209u + 8202u) * 96);
  ASSERT_EQ(info.shard_entries.size(), 3u);
  EXPECT_EQ(info.shard_entries[cluster.ShardOf("a", 2)], 17u);
  EXPECT_EQ(std::accumulate(info.shard_entries.begin(), info.shard_entries.end(), 0), 8209);
}

TEST(Contexts, OfAnotherTenantAreUnknown) {
  LocalCluster cluster(2);
  Sample sample(TinyProfile(), 10, kernels::TestSeed());
  cluster.Load(sample);
  const ContextName other{.tenant = "u", .context_id = "a"};
  Coordinator& coordinator = cluster.coordinator();
  for (const absl::Status& status :
       {coordinator.DescribeContext(other, Unhurried()).status(),
        coordinator.SealContext(other, Unhurried()), coordinator.DeleteContext(other, Unhurried()),
        coordinator.ForkContext(other, 1, "f", Unhurried()).status()}) {
    ExpectError(status, StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  }
  cluster.ExpectHolds(sample, 10);
}

TEST(Contexts, AForkAtAnyPositionAnswersForItsParentsBeginning) {
  LocalCluster cluster(3);
  Sample sample(TinyProfile(), 2 * kStripeEntries + 100, kernels::TestSeed());
  cluster.Load(sample);
  int forks = 0;
  for (const uint32_t entries :
       {1u, 64u, 100u, kStripeEntries, kStripeEntries + 1, 2 * kStripeEntries + 100}) {
    const std::string id = absl::StrCat("f", forks++);
    ASSERT_EQ(cluster.coordinator().ForkContext(Name(), entries, id, Unhurried()).value(), id);
    cluster.ExpectHolds(sample, entries, id);
    // Goes on as its parent did.
    const uint32_t rest = sample.entries() - entries;
    if (rest == 0) continue;
    ASSERT_EQ(cluster.Append(sample, entries, rest, id)->entries_written, rest);
    cluster.ExpectHolds(sample, sample.entries(), id);
  }
  cluster.ExpectHolds(sample, sample.entries());
}

TEST(Contexts, AForkPastTheEndIsRefused) {
  LocalCluster cluster(2);
  Sample sample(TinyProfile(), 50, kernels::TestSeed());
  cluster.Load(sample);
  const absl::Status status =
      cluster.coordinator().ForkContext(Name(), 51, "f", Unhurried()).status();
  ExpectError(status, StatusCode::kOutOfRange, "FORK_PAST_END");
  EXPECT_EQ(ErrorFacts(status)["entries"], "50");
  EXPECT_THAT(AllIds(cluster, "t", 10), ElementsAre("a"));
}

TEST(Contexts, ASealedContextAnswersButDoesNotGrow) {
  LocalCluster cluster(3);
  Sample sample(TinyProfile(), 2 * kStripeEntries, kernels::TestSeed());
  cluster.Create(sample);
  ASSERT_TRUE(cluster.Append(sample, 0, 100).ok());
  ASSERT_TRUE(cluster.coordinator().SealContext(Name(), Unhurried()).ok());
  ASSERT_TRUE(cluster.coordinator().SealContext(Name(), Unhurried()).ok());
  for (const uint32_t count : {1u, kStripeEntries}) {
    ExpectError(cluster.Append(sample, 100, count).status(), StatusCode::kFailedPrecondition,
                "CONTEXT_SEALED");
  }
  cluster.ExpectAnswers(sample, 100);
  EXPECT_TRUE(cluster.coordinator().DescribeContext(Name(), Unhurried())->first.sealed);
}

TEST(Contexts, ADeletedContextIsGoneAndItsNameFree) {
  LocalCluster cluster(2);
  Sample sample(TinyProfile(), 50, kernels::TestSeed());
  cluster.Load(sample);
  ASSERT_TRUE(cluster.coordinator().DeleteContext(Name(), Unhurried()).ok());
  ExpectError(cluster.coordinator().DeleteContext(Name(), Unhurried()), StatusCode::kNotFound,
              "UNKNOWN_CONTEXT");
  ExpectError(cluster.Append(sample, 0, 10).status(), StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  EXPECT_THAT(AllIds(cluster, "t", 10), IsEmpty());
  cluster.Create(sample);
  EXPECT_EQ(cluster.Entries(), 0u);
}

TEST(ListContexts, EveryPageSizeListsEachContextOnce) {
  LocalCluster cluster(3);
  const Sample sample(TinyProfile(), 1, kernels::TestSeed());
  const std::vector<std::string> ids = {"a", "b", "b-1", "b.2", "c", "d", "e"};
  for (const std::string& id : ids) cluster.Create(sample, id);
  ASSERT_TRUE(cluster.coordinator()
                  .CreateContext({"t-2", "x"}, Fingerprint(*sample.profile()), Unhurried())
                  .ok());
  for (uint32_t page_size = 1; page_size <= 8; ++page_size) {
    EXPECT_EQ(AllIds(cluster, "t", page_size), ids) << page_size;
  }
  EXPECT_THAT(AllIds(cluster, "t-2", 2), ElementsAre("x"));
  EXPECT_THAT(AllIds(cluster, "u", 2), IsEmpty());
}

TEST(ListContexts, AFullPageSaysWhetherThereIsAnother) {
  LocalCluster cluster(2);
  const Sample sample(TinyProfile(), 1, kernels::TestSeed());
  for (const char* id : {"a", "b"}) cluster.Create(sample, id);
  const auto list = [&](const std::string& after, uint32_t size) {
    return cluster.coordinator().ListContexts("t", after, size, Unhurried()).value();
  };
  EXPECT_EQ(list("", 1).next, "a");
  EXPECT_EQ(list("a", 1).next, "");
  EXPECT_EQ(list("", 2).next, "");
  ASSERT_EQ(list("a", 5).contexts.size(), 1u);
  EXPECT_EQ(list("a", 5).contexts[0].context_id, "b");
  EXPECT_EQ(list("a", 5).contexts[0].profile_fingerprint, Fingerprint(*sample.profile()));
}

TEST(ListContexts, ThatOnlySomeShardsHoldAreListedAsDamaged) {
  const Sample sample(TinyProfile(), 1, kernels::TestSeed());
  for (uint32_t page_size = 1; page_size <= 6; ++page_size) {
    LocalCluster cluster(2);
    for (const char* id : {"a", "b", "c", "d", "e"}) cluster.Create(sample, id);
    for (const char* id : {"t/a", "t/b", "t/c"}) {
      ASSERT_TRUE(cluster.shard(1).Ask(shard::DeleteContext{.context_id = id}).ok());
    }
    EXPECT_THAT(AllIds(cluster, "t", page_size), ElementsAre("a", "b", "c", "d", "e"));
    const ContextPage page = cluster.coordinator().ListContexts("t", "", 10, Unhurried()).value();
    for (const ContextInfo& info : page.contexts) {
      EXPECT_EQ(info.damage.empty(), info.context_id > "c") << info.context_id;
    }
  }
}

TEST(ListShards, TellsWhatEachHolds) {
  LocalCluster cluster(3);
  const Sample sample(TinyProfile(), 10, kernels::TestSeed());
  cluster.Load(sample);
  const std::vector<ShardState> states = cluster.coordinator().ListShards(Unhurried());
  ASSERT_EQ(states.size(), 3u);
  uint32_t slots = 0;
  for (uint32_t shard = 0; shard < 3; ++shard) {
    EXPECT_EQ(states[shard].shard, shard);
    EXPECT_EQ(states[shard].address, "fake");
    EXPECT_EQ(states[shard].error, "");
    EXPECT_EQ(states[shard].held.contexts, 1u);
    EXPECT_EQ(states[shard].held.entries, shard == cluster.ShardOf("a", 0) ? 10u : 0u);
    slots += states[shard].slots;
  }
  EXPECT_EQ(slots, cluster::kSlots);
}

TEST(LocalShardChannel, AnswersBeforeStartReturns) {
  kernels::WorkerPool pool(1);
  shard::CpuCompute compute(kernels::ChooseBackend("reference"), &pool);
  const std::unique_ptr<shard::Shard> shard = shard::Shard::Open({}, &compute).value();
  LocalShardChannel channel(shard.get());
  EXPECT_TRUE(channel.in_process());
  int answers = 0;
  channel.Start(shard::Ping{}, Unhurried(), [&](absl::StatusOr<shard::Result> result) {
    ++answers;
    EXPECT_EQ(std::get<shard::PingResult>(result.value()).kernels, "reference");
  });
  channel.Start(shard::Describe{.context_id = "t/a"}, Unhurried(),
                [&](absl::StatusOr<shard::Result> result) {
                  ++answers;
                  ExpectError(result.status(), StatusCode::kNotFound, "UNKNOWN_CONTEXT");
                });
  EXPECT_EQ(answers, 2);
}

}  // namespace
}  // namespace winnow::coordinator
