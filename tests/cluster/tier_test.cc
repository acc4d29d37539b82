// Contexts that are spilled, restored, verified, saved, killed and found again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"

namespace winnow::testing {
namespace {

using client::Planes;
using client::StripeRange;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Three stripes, the last page of them partly filled.
constexpr int kEntries = 2 * 4096 + 1000;
constexpr int kRefused = 1;

// Runs step(range) over a whole context, a stripe at a time, and adds up what was moved.
template <typename Step>
client::TierResult Over(Step step) {
  client::TierResult sum;
  StripeRange range{.stripes = 1};
  do {
    absl::StatusOr<client::TierResult> result = step(range);
    if (!result.ok()) {
      ADD_FAILURE() << result.status();
      break;
    }
    sum.index_bytes += result->index_bytes;
    sum.kv_bytes += result->kv_bytes;
    sum.total_stripes = result->total_stripes;
    sum.corrupt.insert(sum.corrupt.end(), result->corrupt.begin(), result->corrupt.end());
    range.first_stripe = result->next_stripe;
  } while (range.first_stripe != 0);
  return sum;
}

class TierTest : public ::testing::Test {
 protected:
  TierTest()
      : trial_(SmallProfile(), kEntries, kernels::TestSeed()), query_(trial_.Query({kEntries})) {
    Start();
  }

  // On the directory of the one before, if there was one.
  void Start() {
    server_.reset();
    server_ = std::make_unique<Server>(
        std::vector<std::string>{"--shards=2", "--data-dir=" + dir_.File("data")});
    client_ = std::make_unique<client::Client>(server_->address());
  }

  void Kill() {
    server_->process().Signal(SIGKILL);
    server_->process().Wait();
  }

  client::Context Reopened(const std::string& id) {
    auto context = client_->OpenContext(id);
    EXPECT_TRUE(context.ok()) << context.status();
    return *context;
  }

  // The same selection, bit for bit, and the attention over it; returns what it cost.
  client::CallStats ExpectAnswers(const client::Context& context) {
    auto result = context.Attend(query_.Request());
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return {};
    ExpectSame(result->selection, trial_.Selected(query_));
    ExpectClose(result->outputs, trial_.Attention(query_, /*reference=*/true), 2e-3f);
    return result->stats;
  }

  static client::ContextInfo Described(const client::Context& context) {
    auto info = context.Describe();
    EXPECT_TRUE(info.ok()) << info.status();
    return *info;
  }

  const TempDir dir_;
  Trial trial_;
  const TrialQuery query_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<client::Client> client_;
};

TEST_F(TierTest, AContextAnswersAlikeInEveryTierAndAfterAKill) {
  const client::Context context = trial_.Load(*client_, 1000);
  EXPECT_EQ(ExpectAnswers(context).cold_rows, 0u);
  const client::ContextInfo hot = Described(context);
  EXPECT_EQ(hot.durability, Durability::kLogged);
  EXPECT_EQ(hot.resident_kv_bytes, hot.kv_bytes);

  const client::TierResult spilled =
      Over([&](StripeRange range) { return context.Spill(Planes::kKv, range); });
  EXPECT_EQ(spilled.kv_bytes, hot.kv_bytes);
  EXPECT_EQ(spilled.index_bytes, 0u);
  EXPECT_EQ(spilled.total_stripes, 3u);
  const client::ContextInfo cold = Described(context);
  EXPECT_EQ(cold.resident_kv_bytes, 0u);
  EXPECT_EQ(cold.resident_index_bytes, cold.index_bytes);
  EXPECT_GE(cold.stored_bytes, cold.kv_bytes);
  // From now on the shards bring it back in the background.
  EXPECT_GT(ExpectAnswers(context).cold_rows, 0u);

  const client::TierResult verified =
      Over([&](StripeRange range) { return context.Verify(Planes::kAll, range); });
  EXPECT_THAT(verified.corrupt, IsEmpty());
  EXPECT_GE(verified.kv_bytes, hot.kv_bytes);
  EXPECT_GE(verified.index_bytes, hot.index_bytes);

  Over([&](StripeRange range) { return context.Restore(Planes::kAll, range); });
  EXPECT_EQ(Described(context).resident_kv_bytes, hot.kv_bytes);
  EXPECT_EQ(ExpectAnswers(context).cold_rows, 0u);

  Kill();
  Start();
  EXPECT_THAT(server_->process().Err(),
              AllOf(HasSubstr("recovered"), HasSubstr(" layer_entries=")));
  const client::Context again = Reopened(context.id());
  EXPECT_EQ(Described(again).entries, static_cast<uint64_t>(kEntries));
  ExpectAnswers(again);
}

TEST_F(TierTest, ColdIndexKeysAreScoredAlike) {
  const client::Context context = trial_.Load(*client_);
  const client::TierResult spilled =
      Over([&](StripeRange range) { return context.Spill(Planes::kIndex, range); });
  const client::ContextInfo cold = Described(context);
  EXPECT_EQ(spilled.index_bytes, cold.index_bytes);
  EXPECT_EQ(spilled.kv_bytes, 0u);
  EXPECT_EQ(cold.resident_index_bytes, 0u);
  EXPECT_EQ(cold.resident_kv_bytes, cold.kv_bytes);
  EXPECT_GT(ExpectAnswers(context).cold_index_bytes, 0u);
}

TEST_F(TierTest, ProfilesLeasesAndPinsAreKept) {
  const client::Context context = trial_.Load(*client_);
  ASSERT_TRUE(context.Pin(absl::Hours(2)).ok());
  ASSERT_TRUE(context.RenewLease(absl::Hours(5)).ok());
  ASSERT_TRUE(context.Seal().ok());
  Kill();
  Start();
  EXPECT_EQ(client_->ListProfiles()->size(), 1u);
  const client::ContextInfo info = Described(Reopened(context.id()));
  EXPECT_TRUE(info.pinned);
  EXPECT_LE(info.pinned_for, absl::Hours(2));
  EXPECT_GT(info.pinned_for, absl::Hours(1));
  EXPECT_TRUE(info.sealed);
  EXPECT_LE(info.expires_in, absl::Hours(5));
  EXPECT_GT(info.expires_in, absl::Hours(4));
}

TEST_F(TierTest, WhatIsPinnedIsNotSpilled) {
  const client::Context context = trial_.Load(*client_);
  ASSERT_TRUE(context.Pin().ok());
  EXPECT_EQ(ErrorReason(context.Spill(Planes::kKv).status()), "CONTEXT_PINNED");
  ASSERT_TRUE(context.Unpin().ok());
  const auto spilled = context.Spill(Planes::kKv);
  ASSERT_TRUE(spilled.ok()) << spilled.status();
  EXPECT_EQ(spilled->kv_bytes, Described(context).kv_bytes);
  ExpectAnswers(context);
}

TEST_F(TierTest, ASnapshotMakesTheSameContextOfAnotherName) {
  const client::Context context = trial_.Load(*client_);
  StripeRange range{.stripes = 1};
  do {
    auto saved = context.SaveSnapshot(dir_.File("saved"), range);
    ASSERT_TRUE(saved.ok()) << saved.status();
    range.first_stripe = saved->next_stripe;
  } while (range.first_stripe != 0);
  ASSERT_TRUE(context.Delete().ok());
  do {
    auto loaded = client_->LoadSnapshot("again", dir_.File("saved"), range);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->total_stripes, 3u);
    range.first_stripe = loaded->next_stripe;
  } while (range.first_stripe != 0);
  ExpectAnswers(Reopened("again"));
  Kill();
  Start();
  ExpectAnswers(Reopened("again"));
  EXPECT_EQ(client_->OpenContext(context.id()).status().code(), absl::StatusCode::kNotFound);
  const absl::Status absent = client_->LoadSnapshot("x", dir_.File("absent")).status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound) << absent;
}

TEST_F(TierTest, AContextIsGoneWhenItsTimeIsOver) {
  const client::Context lasting = trial_.Load(*client_);
  auto brief = client_->CreateContext(*client_->RegisterProfile(trial_.profile()), "brief",
                                      {.ttl = absl::Seconds(1)});
  ASSERT_TRUE(brief.ok()) << brief.status();
  absl::Status status;
  for (const absl::Time until = absl::Now() + absl::Seconds(20); status.ok() && absl::Now() < until;
       absl::SleepFor(absl::Milliseconds(50))) {
    status = brief->Describe().status();
  }
  EXPECT_EQ(ErrorReason(status), "UNKNOWN_CONTEXT") << status;
  EXPECT_EQ(ErrorReason(brief->RenewLease(absl::Hours(1))), "UNKNOWN_CONTEXT");
  Kill();
  Start();
  const auto listed = client_->ListContexts();
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_TRUE(listed->front().layer_entries.empty()) << "many would not fit into a message";
  ExpectAnswers(Reopened(lasting.id()));
}

TEST_F(TierTest, OnlyOneProcessHasADataDirectory) {
  Process second("winnowd", {"--listen=127.0.0.1:0", "--data-dir=" + dir_.File("data")});
  EXPECT_EQ(second.Wait(), kRefused);
  EXPECT_THAT(second.Err(), HasSubstr(dir_.File("data")));
}

TEST_F(TierTest, DamagedMetadataIsNotTakenForNone) {
  server_->process().Signal(SIGTERM);
  EXPECT_EQ(server_->process().Wait(), 0);
  dir_.Write("data/metadata", "not what was written");
  Process refused("winnowd",
                  {"--shards=2", "--listen=127.0.0.1:0", "--data-dir=" + dir_.File("data")});
  EXPECT_EQ(refused.Wait(), kRefused);
  EXPECT_THAT(refused.Err(), HasSubstr("data/metadata: the metadata is damaged"));
}

TEST(TierAloneTest, AShardThatWasKilledComesBackWithItsPart) {
  const TempDir dir;
  const auto shard_flags = [&dir](int i) {
    return std::vector<std::string>{"--role=shard", "--threads=1",
                                    "--data-dir=" + dir.File("shard" + std::to_string(i))};
  };
  std::vector<std::unique_ptr<Server>> shards;
  std::vector<std::string> flags = {"--role=coordinator", "--data-dir=" + dir.File("coordinator")};
  for (int i = 0; i < 2; ++i) {
    shards.push_back(std::make_unique<Server>(shard_flags(i)));
    flags.push_back("--shard-address=" + shards.back()->address());
  }
  const Server coordinator(flags);
  client::Client client(coordinator.address());
  Trial trial(SmallProfile(), kEntries, kernels::TestSeed());
  const client::Context context = trial.Load(client);
  const TrialQuery query = trial.Query({kEntries});
  Over([&](StripeRange range) { return context.Spill(Planes::kAll, range); });
  for (int i = 0; i < 2; ++i) {
    const std::string address = shards[static_cast<size_t>(i)]->address();
    shards[static_cast<size_t>(i)]->process().Signal(SIGKILL);
    shards[static_cast<size_t>(i)]->process().Wait();
    shards[static_cast<size_t>(i)] = std::make_unique<Server>(shard_flags(i), address);
    absl::StatusOr<client::AttendResult> result = absl::UnavailableError("not tried");
    for (const absl::Time until = absl::Now() + absl::Seconds(20);
         !result.ok() && absl::Now() < until; absl::SleepFor(absl::Milliseconds(50))) {
      result = context.Attend(query.Request());
    }
    ASSERT_TRUE(result.ok()) << result.status();
    ExpectSame(result->selection, trial.Selected(query));
  }
  EXPECT_THAT(Over([&](StripeRange range) { return context.Verify(Planes::kAll, range); }).corrupt,
              IsEmpty());
}

TEST(TierAloneTest, WithoutADirectoryNothingIsSpilled) {
  const Service service = Service::Standalone(1);
  client::Client client(service.address());
  const client::Context context = Trial(SmallProfile(), 100, kernels::TestSeed()).Load(client);
  for (const absl::Status& status : {context.Spill(Planes::kKv).status(),
                                     client
                                         .CreateContext(*client.RegisterProfile(SmallProfile()),
                                                        "c", {.durability = Durability::kLogged})
                                         .status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(ErrorReason(status), "NO_DATA_DIR") << status;
  }
}

}  // namespace
}  // namespace winnow::testing
