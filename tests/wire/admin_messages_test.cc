#include "services/wire/admin_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/wire/fields.h"
#include "storage/error.h"
#include "tests/wire/samples.h"

namespace winnow::wire {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

template <typename Result>
void ExpectBadField(const absl::StatusOr<Result>& result, const std::string& field) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << result.status();
  EXPECT_EQ(ErrorReason(result.status()), "BAD_FIELD") << result.status();
  EXPECT_EQ(ErrorFacts(result.status())["field"], field) << result.status();
}

absl::StatusOr<coordinator::TierRequest> Verify(const v1::TierRequest& message) {
  return ToTier(shard::TierAction::kVerify, message);
}

TEST(Fields, DurationsAreMillisecondsAndNeverIsZero) {
  EXPECT_EQ(ToTtl(0).value(), absl::InfiniteDuration());
  EXPECT_EQ(ToTtl(1000).value(), absl::Seconds(1));
  EXPECT_EQ(ToTtl(315'360'000'000).value(), absl::Hours(24 * 3650));
  for (const uint64_t ms : {uint64_t{1000}, uint64_t{315'360'000'000}, uint64_t{0}}) {
    EXPECT_EQ(FromDuration(ToTtl(ms).value()), ms);
  }
  // What is over or as good as over is not never.
  for (const absl::Duration over : {absl::ZeroDuration(), absl::Microseconds(1), absl::Seconds(-5),
                                    -absl::InfiniteDuration()}) {
    EXPECT_EQ(FromDuration(over), 1u);
  }
}

TEST(Fields, ATtlOutOfBoundsNamesItsLimits) {
  for (const uint64_t ms : {uint64_t{1}, uint64_t{999}, uint64_t{315'360'000'001}, ~uint64_t{0}}) {
    ExpectBadField(ToTtl(ms), "ttl_ms");
    EXPECT_THAT(std::string(ToTtl(ms).status().message()), HasSubstr("1000..315360000000"));
  }
}

TEST(Fields, ADirectoryIsAnAbsolutePath) {
  for (const std::string& good :
       {std::string("/"), std::string("/var/backup"), "/" + std::string(4095, 'd')}) {
    EXPECT_TRUE(CheckDirectory(good).ok()) << CheckDirectory(good);
  }
  for (const std::string& bad :
       {std::string(), std::string("d"), std::string("./d"), std::string(" /d"),
        std::string("\0/d", 3), std::string("/d\0", 3), "/" + std::string(4096, 'd')}) {
    ExpectBadField(absl::StatusOr<int>(CheckDirectory(bad)), "directory");
    EXPECT_THAT(std::string(CheckDirectory(bad).message()), SizeIs(::testing::Lt(300u)));
  }
}

TEST(AdminMessages, ATierArrivesAsItWasSent) {
  v1::TierRequest message;
  message.set_tenant("t");
  message.set_context_id("c");
  message.set_planes(v1::PLANES_ALL);
  message.set_first_stripe(524287);
  message.set_stripes(524288);
  const coordinator::TierRequest request = Verify(message).value();
  EXPECT_EQ(request.action, shard::TierAction::kVerify);
  EXPECT_EQ(request.context.tenant, "t");
  EXPECT_EQ(request.context.context_id, "c");
  EXPECT_TRUE(request.index && request.kv);
  EXPECT_EQ(request.first_stripe, 524287u);
  EXPECT_EQ(request.stripes, 524288u);
  message.set_planes(v1::PLANES_KV);
  EXPECT_TRUE(!Verify(message)->index && Verify(message)->kv);
  message.set_planes(v1::PLANES_INDEX);
  EXPECT_TRUE(Verify(message)->index && !Verify(message)->kv);
}

TEST(AdminMessages, TiersThatCannotBeAreRefused) {
  v1::TierRequest good;
  good.set_planes(v1::PLANES_KV);
  EXPECT_EQ(Verify(good)->stripes, 0u) << "left to the coordinator";
  EXPECT_EQ(Verify(good)->context.tenant, "default");
  for (const int planes : {0, 4, -1, 1000}) {
    v1::TierRequest message = good;
    message.set_planes(static_cast<v1::Planes>(planes));
    ExpectBadField(Verify(message), "planes");
  }
  for (const uint32_t first : {524288u, 0xffffffffu}) {
    v1::TierRequest message = good;
    message.set_first_stripe(first);
    ExpectBadField(Verify(message), "first_stripe");
  }
  for (const uint32_t stripes : {524289u, 0xffffffffu}) {
    v1::TierRequest message = good;
    message.set_stripes(stripes);
    ExpectBadField(Verify(message), "stripes");
  }
}

TEST(AdminMessages, ASnapshotArrivesAsItWasSent) {
  v1::SnapshotRequest message;
  message.set_tenant("t");
  message.set_context_id("c");
  message.set_directory("/d");
  message.set_first_stripe(7);
  message.set_stripes(8);
  const coordinator::SnapshotRequest request = ToSnapshot(message).value();
  EXPECT_EQ(request.context.tenant, "t");
  EXPECT_EQ(request.context.context_id, "c");
  EXPECT_EQ(request.directory, "/d");
  EXPECT_EQ(request.first_stripe, 7u);
  EXPECT_EQ(request.stripes, 8u);
}

TEST(AdminMessages, ListedSnapshotsKeepTheirNames) {
  const v1::ListSnapshotsReply message = FromSnapshots({{"t", "a"}, {"u", "b"}});
  ASSERT_EQ(message.snapshots_size(), 2);
  EXPECT_EQ(message.snapshots(1).tenant(), "u");
  EXPECT_EQ(message.snapshots(1).context_id(), "b");
}

TEST(AdminMessages, SnapshotsThatCannotBeAreRefused) {
  v1::SnapshotRequest good;
  good.set_directory("/" + std::string(4095, 'd'));
  EXPECT_TRUE(ToSnapshot(good).ok()) << ToSnapshot(good).status();
  for (const std::string& directory :
       {std::string(), std::string("d"), std::string("/d\0/e", 5), "/" + std::string(4096, 'd')}) {
    v1::SnapshotRequest message = good;
    message.set_directory(directory);
    ExpectBadField(ToSnapshot(message), "directory");
  }
  v1::SnapshotRequest message = good;
  message.set_first_stripe(524288);
  ExpectBadField(ToSnapshot(message), "first_stripe");
  message = good;
  message.set_stripes(524289);
  ExpectBadField(ToSnapshot(message), "stripes");
}

TEST(AdminMessages, RepliesKeepTheirFields) {
  v1::TierReply tier;
  FillEverything(&tier);
  EXPECT_EQ(Difference(tier, FromReply(coordinator::TierReply{
                                 .index_bytes = 1,
                                 .kv_bytes = 2,
                                 .next_stripe = 3,
                                 .total_stripes = 4,
                                 .corrupt = {tier.corrupt().begin(), tier.corrupt().end()}})),
            "");
  v1::SnapshotReply snapshot;
  FillEverything(&snapshot);
  EXPECT_EQ(Difference(snapshot, FromReply(coordinator::SnapshotReply{
                                     .bytes = 1, .next_stripe = 2, .total_stripes = 3})),
            "");
}

TEST(AdminMessages, ShardsAndNodesKeepTheirFields) {
  coordinator::ShardState state = {.shard = 1, .address = "text-c", .slots = 3};
  state.held = {.version = "v",
                .contexts = 4,
                .entries = 5,
                .index_bytes = 6,
                .kv_bytes = 7,
                .threads = 8,
                .kernels = "text-j",
                .memory_bytes = 11,
                .memory_budget_bytes = 12,
                .disk_bytes = 13,
                .corrupt_pages = 14,
                .device_bytes = 15,
                .device_capacity_bytes = 16};
  state.round_trip_us = 12;
  state.error = "text-k";
  v1::ListShardsReply::Shard shard;
  FillEverything(&shard);
  EXPECT_EQ(Difference(shard, FromShardState(state)), "");
  const v1::ListNodesReply::Node node = ToNode(state);
  EXPECT_EQ(node.name(), "shard-1");
  EXPECT_EQ(node.address(), "text-c");
  EXPECT_FALSE(node.reachable()) << "it has an error";
  EXPECT_EQ(node.round_trip_us(), 12u);
  EXPECT_EQ(node.version(), "v");
  EXPECT_EQ(node.error(), "text-k");
  EXPECT_TRUE(ToNode({.shard = 2}).reachable());
}

}  // namespace
}  // namespace winnow::wire
