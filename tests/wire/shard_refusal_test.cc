// Messages of the shard API that do not fit together, from either side.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  reply.mutable_describe()->mutable_context()->mutable_profile()->clear_layers();
  ExpectBadReply(reply, "layers");
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
