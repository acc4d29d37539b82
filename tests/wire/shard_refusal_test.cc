// Messages of the shard API that do not fit together, from either side.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "services/wire/profile.h"
#include "services/wire/shard_messages.h"
#include "storage/error.h"
#include "tests/wire/samples.h"

namespace winnow::wire {
namespace {

using ::testing::HasSubstr;

void ExpectBadReply(const v1::ShardReply& reply, const std::string& what) {
  const absl::Status status = ToResult(reply).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_EQ(ErrorReason(status), "BAD_REPLY") << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

void ExpectBadField(const v1::ShardRequest& request, const std::string& field) {
  const absl::Status status = ToCall(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ErrorReason(status), "BAD_FIELD") << status;
  EXPECT_EQ(ErrorFacts(status)["field"], field) << status;
}

TEST(ShardRefusals, ARequestWithoutACallIsRefused) {
  v1::ShardRequest request;
  request.set_request_id(1);
  ExpectBadField(request, "call");
}

TEST(ShardRefusals, ABadProfileIsRefused) {
  v1::ShardRequest request;
  *request.mutable_create_context()->mutable_profile() = FromProfile(SmallProfile());
  request.mutable_create_context()->mutable_profile()->set_index_dim(65);
  ExpectBadField(request, "index_dim");
}

TEST(ShardRefusals, ThresholdsOfABrokenLengthAreRefused) {
  v1::ShardRequest request;
  for (const size_t bytes : {1u, 7u, 9u, 12u}) {
    request.mutable_attend()->set_thresholds(std::string(bytes, 'x'));
    ExpectBadField(request, "thresholds");
  }
}

TEST(ShardRefusals, AnUnknownPathIsRefused) {
  v1::ShardRequest request;
  for (const int path : {3, -1, 1000}) {
    request.mutable_attend()->set_path(static_cast<v1::AttendPath>(path));
    ExpectBadField(request, "path");
  }
}

TEST(ShardRefusals, AnUnknownDurabilityIsRefused) {
  v1::ShardRequest request;
  *request.mutable_create_context()->mutable_profile() = FromProfile(SmallProfile());
  for (const int durability : {4, -1, 1000}) {
    request.mutable_create_context()->set_durability(static_cast<v1::Durability>(durability));
    ExpectBadField(request, "durability");
  }
}

TEST(ShardRefusals, ACreationReplacesWhatIsStaleAndNothingWhereThatIsNotSaid) {
  const absl::Time at = absl::FromUnixMicros(1'800'000'000'000'001);
  const auto profile = std::make_shared<Profile>(SmallProfile());
  for (const absl::Time stale_before : {absl::InfinitePast(), at}) {
    v1::ShardRequest request;
    FromCall(shard::CreateContext{.profile = profile, .stale_before = stale_before}, &request);
    EXPECT_EQ(std::get<shard::CreateContext>(ToCall(request).value()).stale_before, stale_before);
    FromCall(shard::ForkContext{.stale_before = stale_before}, &request);
    EXPECT_EQ(std::get<shard::ForkContext>(ToCall(request).value()).stale_before, stale_before);
  }
  v1::ShardRequest older;
  older.mutable_fork_context();
  EXPECT_EQ(std::get<shard::ForkContext>(ToCall(older).value()).stale_before, absl::InfinitePast());
}

TEST(ShardRefusals, TimesThatCannotBeAreRefused) {
  for (const uint64_t us : {uint64_t{1} << 63, std::numeric_limits<uint64_t>::max()}) {
    v1::ShardRequest request;
    *request.mutable_create_context()->mutable_profile() = FromProfile(SmallProfile());
    request.mutable_create_context()->set_expires_at_us(us);
    ExpectBadField(request, "expires_at_us");
    request.mutable_create_context()->set_expires_at_us(0);
    request.mutable_create_context()->set_stale_before_us(us);
    ExpectBadField(request, "stale_before_us");
    request.mutable_fork_context()->set_expires_at_us(us);
    ExpectBadField(request, "expires_at_us");
    request.mutable_renew_lease()->set_expires_at_us(us);
    ExpectBadField(request, "expires_at_us");
  }
}

v1::ShardRequest GoodTier() {
  v1::ShardRequest request;
  request.mutable_tier()->set_action(v1::TIER_ACTION_SPILL);
  request.mutable_tier()->set_kv(true);
  request.mutable_tier()->set_first_stripe(524287);
  request.mutable_tier()->set_stripes(524288);
  return request;
}

TEST(ShardRefusals, TiersThatCannotBeAreRefused) {
  EXPECT_TRUE(ToCall(GoodTier()).ok()) << ToCall(GoodTier()).status();
  for (const int action : {0, 4, -1, 1000}) {
    v1::ShardRequest request = GoodTier();
    request.mutable_tier()->set_action(static_cast<v1::TierAction>(action));
    ExpectBadField(request, "action");
  }
  v1::ShardRequest request = GoodTier();
  request.mutable_tier()->set_kv(false);
  ExpectBadField(request, "index");
  for (const uint32_t first : {524288u, 0xffffffffu}) {
    request = GoodTier();
    request.mutable_tier()->set_first_stripe(first);
    ExpectBadField(request, "first_stripe");
  }
  for (const uint32_t stripes : {0u, 524289u, 0xffffffffu}) {
    request = GoodTier();
    request.mutable_tier()->set_stripes(stripes);
    ExpectBadField(request, "stripes");
  }
}

// A request of each kind of snapshot call over the given range.
std::vector<v1::ShardRequest> Snapshots(const std::string& directory, uint32_t first,
                                        uint32_t stripes) {
  std::vector<v1::ShardRequest> requests(2);
  const auto fill = [&](auto* message) {
    message->set_directory(directory);
    message->set_first_stripe(first);
    message->set_stripes(stripes);
  };
  fill(requests[0].mutable_save_snapshot());
  fill(requests[1].mutable_load_snapshot());
  return requests;
}

TEST(ShardRefusals, ListsOfSnapshotsThatCannotBeAreRefused) {
  v1::ShardRequest request;
  request.mutable_list_snapshots()->set_directory("/d");
  for (const std::string& part :
       {std::string(), std::string("a/b"), std::string("/"), std::string("a\0", 2)}) {
    request.mutable_list_snapshots()->set_part(part);
    ExpectBadField(request, "part");
  }
  request.mutable_list_snapshots()->set_part("shard-0");
  EXPECT_TRUE(ToCall(request).ok()) << ToCall(request).status();
  request.mutable_list_snapshots()->set_directory("d");
  ExpectBadField(request, "directory");
}

TEST(ShardRefusals, SnapshotsThatCannotBeAreRefused) {
  for (const v1::ShardRequest& request : Snapshots("/d", 524287, 524288)) {
    EXPECT_TRUE(ToCall(request).ok()) << ToCall(request).status();
  }
  for (const std::string& directory :
       {std::string(), std::string("d"), std::string("../d"), std::string("/d\0/e", 5),
        "/" + std::string(4096 + 64, 'd')}) {
    for (const v1::ShardRequest& request : Snapshots(directory, 0, 1)) {
      ExpectBadField(request, "directory");
    }
  }
  for (const v1::ShardRequest& request : Snapshots("/d", 524288, 1)) {
    ExpectBadField(request, "first_stripe");
  }
  for (const uint32_t stripes : {0u, 524289u}) {
    for (const v1::ShardRequest& request : Snapshots("/d", 0, stripes)) {
      ExpectBadField(request, "stripes");
    }
  }
}

TEST(ShardRefusals, OnlyAFinishNeedsNoStripes) {
  v1::ShardRequest request = Snapshots("/d", 0, 0)[0];
  request.mutable_save_snapshot()->set_finish(true);
  EXPECT_TRUE(ToCall(request).ok()) << ToCall(request).status();
  request.mutable_save_snapshot()->set_stripes(524289);
  ExpectBadField(request, "stripes");
}

TEST(ShardRefusals, ANextStripeThatCannotBeIsRefused) {
  for (const uint32_t next : {524288u, 0xffffffffu}) {
    v1::ShardReply reply;
    reply.mutable_tier()->set_next_stripe(next);
    ExpectBadReply(reply, "next stripe");
    reply.mutable_snapshot()->set_next_stripe(next);
    ExpectBadReply(reply, "next stripe");
  }
}

TEST(ShardRefusals, CountsThatDoNotMatchTheCandidatesAreRefused) {
  // 2^32 in all, which is 0 to whoever adds in 32 bits; then 2^32 + 1.
  const uint32_t half = 1u << 31;
  const std::vector<std::pair<std::vector<uint32_t>, size_t>> cases = {
      {{1}, 0},        {{}, 8},  {{1}, 7},          {{1}, 9},          {{2}, 8},
      {{1, 0, 1}, 24}, {{0}, 8}, {{0xffffffff}, 8}, {{half, half}, 0}, {{half, half, 1}, 8}};
  for (const auto& [counts, bytes] : cases) {
    v1::ShardReply reply;
    reply.mutable_select()->mutable_counts()->Assign(counts.begin(), counts.end());
    reply.mutable_select()->set_candidates(std::string(bytes, '\0'));
    ExpectBadReply(reply, absl::StrCat(bytes, " bytes of candidates"));
    if (bytes == 0) continue;  // an attend result need not list its winners
    reply.mutable_attend()->mutable_counts()->Assign(counts.begin(), counts.end());
    reply.mutable_attend()->set_candidates(std::string(bytes, '\0'));
    ExpectBadReply(reply, absl::StrCat(bytes, " bytes of candidates"));
  }
}

TEST(ShardRefusals, FloatsOfABrokenLengthAreRefused) {
  for (const size_t bytes : {1u, 3u, 6u}) {
    v1::ShardReply reply;
    reply.mutable_attend()->set_outputs(std::string(bytes, '\0'));
    ExpectBadReply(reply, "floats");
    reply.mutable_attend()->clear_outputs();
    reply.mutable_attend()->set_lse(std::string(bytes, '\0'));
    ExpectBadReply(reply, "floats");
  }
}

TEST(ShardRefusals, ContextStatesThatDoNotFitTheirProfileAreRefused) {
  v1::ShardReply good;
  FillEverything(good.mutable_describe()->mutable_context());
  v1::ShardReply reply = good;
  reply.mutable_describe()->mutable_context()->add_layer_ends(1);
  ExpectBadReply(reply, "layer counts");
  reply = good;
  reply.mutable_describe()->mutable_context()->clear_layer_entries();
  ExpectBadReply(reply, "layer counts");
  reply = good;
  reply.mutable_describe()->mutable_context()->set_layer_ends(0, (uint64_t{1} << 31) + 1);
  ExpectBadReply(reply, "more entries");
  reply = good;
  reply.mutable_describe()->mutable_context()->set_layer_entries(
      1, good.describe().context().layer_ends(1) + 1);
  ExpectBadReply(reply, "more entries");
  reply = good;
  reply.mutable_describe()->mutable_context()->mutable_profile()->clear_layers();
  ExpectBadReply(reply, "layers");
  reply = good;
  reply.mutable_describe()->mutable_context()->set_durability(static_cast<v1::Durability>(4));
  ExpectBadReply(reply, "durability");
  reply = good;
  reply.mutable_describe()->mutable_context()->set_expires_at_us(uint64_t{1} << 63);
  ExpectBadReply(reply, "expires_at_us");
  reply = good;
  reply.mutable_list_contexts()->add_contexts();
  ExpectBadReply(reply, "index_key_format");
}

TEST(ShardRefusals, AnErrorWinsOverAResult) {
  v1::ShardReply reply;
  reply.mutable_append()->set_entries_written(5);
  reply.set_code(static_cast<int>(absl::StatusCode::kAborted));
  EXPECT_EQ(ToResult(reply).status().code(), absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace winnow::wire
