#include "services/wire/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/wire/shard_messages.h"
#include "storage/error.h"
#include "tests/wire/samples.h"
#include "winnow/v1/retrieval.pb.h"

namespace winnow::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const absl::Status& Gap() {
  static const auto* gap =
      new absl::Status(Error(absl::StatusCode::kOutOfRange, "GAP", "resume from 40",
                             {{"resume_position", "40"}, {"layer", "3"}}));
  return *gap;
}

// A field of wire type 2.
std::string Field(int number, const std::string& content) {
  return Bytes({number << 3 | 2, static_cast<int>(content.size())}) + content;
}

constexpr char kErrorInfoType[] = "type.googleapis.com/google.rpc.ErrorInfo";

// google.rpc.Status{code, message, details} with these details.
grpc::Status GrpcGap(const std::string& details) {
  return {grpc::StatusCode::OUT_OF_RANGE, "resume from 40",
          Bytes({0x08, 11}) + Field(2, "resume from 40") + details};
}

TEST(WireStatus, ReasonAndFactsSurvive) {
  EXPECT_EQ(FromGrpc(ToGrpc(Gap())), Gap());
  EXPECT_EQ(FromParts(static_cast<int>(Gap().code()), "resume from 40", ToErrorInfo(Gap())), Gap());
}

TEST(WireStatus, EveryCodeSurvives) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status sent =
        Error(static_cast<absl::StatusCode>(code), "REASON", "why", {{"fact", "x"}});
    EXPECT_EQ(static_cast<int>(ToGrpc(sent).error_code()), code);
    EXPECT_EQ(FromGrpc(ToGrpc(sent)), sent) << code;
  }
}

TEST(WireStatus, WhatIsLongIsCut) {
  const std::string longest(5000, 'x');
  const absl::Status sent = Error(absl::StatusCode::kInvalidArgument, "BAD_FIELD", longest,
                                  {{"field", "id"}, {"limit", "1..256"}, {"value", longest}});
  const absl::Status read = FromGrpc(ToGrpc(sent));
  EXPECT_EQ(read.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(read), "BAD_FIELD");
  EXPECT_EQ(read.message(), std::string(1021, 'x') + "...");
  EXPECT_THAT(ErrorFacts(read), ElementsAre(Pair("field", "id"), Pair("limit", "1..256"),
                                            Pair("value", std::string(253, 'x') + "...")));
}

TEST(WireStatus, TheWorstStatusFitsIntoTrailingMetadata) {
  std::string worst;
  for (int i = 0; i < 3000; ++i) worst += "\xe2\x82\xac";  // sent as nine bytes
  const absl::Status sent =
      Error(absl::StatusCode::kAborted, worst, worst,
            {{"aa", worst}, {"bb", worst}, {"cc", worst}, {"dd", worst}, {"f", "small"}});
  const grpc::Status cut = ToGrpc(sent);
  EXPECT_LE(3 * cut.error_message().size() + cut.error_details().size() * 4 / 3, 7u << 10);
  const absl::Status read = FromGrpc(cut);
  EXPECT_EQ(read.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(read.message().size(), 3u * 340 + 3) << "whole characters, and what tells of the cut";
  EXPECT_EQ(ErrorFacts(read)["f"], "small") << "there was room for it";
}

TEST(WireStatus, WhatIsNotUtf8IsReplaced) {
  for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
           {"a\xff z", "a? z"},
           {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
           {"\xe2\x82", "??"},               // ends too early
           {"\xc0\xaf", "??"},               // longer than it need be
           {"\xe0\x80\xaf", "???"},          // the same
           {"\xed\xa0\x80", "???"},          // half of a pair
           {"\xf4\x90\x80\x80", "????"}}) {  // past the last character
    const absl::Status read =
        FromGrpc(ToGrpc(Error(absl::StatusCode::kInternal, "R", bytes, {{"f", bytes}})));
    EXPECT_EQ(read.message(), text);
    EXPECT_EQ(ErrorReason(read), "R");
    EXPECT_EQ(ErrorFacts(read)["f"], text);
  }
}

TEST(WireStatus, AReplyWithAStatusOfItsOwnCanBeReadWhateverTheSystemSaid) {
  const absl::Status said = Error(absl::StatusCode::kUnavailable, "DISK_FAILED",
                                  "cannot read /d\xff", {{"path", "/d\xff"}});
  const absl::Status wanted =
      Error(absl::StatusCode::kUnavailable, "DISK_FAILED", "cannot read /d?", {{"path", "/d?"}});
  v1::DecodeReply step, read_step;
  SetStatus(said, &step);
  ASSERT_TRUE(read_step.ParseFromString(step.SerializeAsString()));
  EXPECT_EQ(FromParts(read_step.code(), read_step.message(), read_step.error()), wanted);
  v1::ShardReply answer, read_answer;
  FromResult(said, &answer);
  ASSERT_TRUE(read_answer.ParseFromString(answer.SerializeAsString()));
  EXPECT_EQ(ToResult(read_answer).status(), wanted);
  FromResult(shard::TierResult{.corrupt = {"page in /d\xff"}}, &answer);
  EXPECT_TRUE(read_answer.ParseFromString(answer.SerializeAsString()));
}

TEST(WireStatus, OkIsOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  EXPECT_TRUE(FromParts(0, "", {}).ok());
}

TEST(WireStatus, DetailsHaveTheLayoutOfGoogleRpcStatus) {
  const absl::Status status =
      Error(absl::StatusCode::kOutOfRange, "GAP", "resume from 40", {{"at", "40"}});
  const std::string info =
      Field(1, "GAP") + Field(2, "winnow") + Field(3, Field(1, "at") + Field(2, "40"));
  EXPECT_EQ(ToGrpc(status).error_details(),
            Bytes({0x08, 11}) + Field(2, "resume from 40") +
                Field(3, Field(1, kErrorInfoType) + Field(2, info)));
}

TEST(WireStatus, AStatusWithoutAReasonHasNoDetail) {
  const grpc::Status sent = ToGrpc(absl::NotFoundError("nothing"));
  EXPECT_EQ(sent.error_details(), Bytes({0x08, 5}) + Field(2, "nothing"));
  const absl::Status read = FromGrpc(sent);
  EXPECT_EQ(read.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(read.message(), "nothing");
  EXPECT_EQ(ErrorReason(read), "");
  EXPECT_THAT(ErrorFacts(read), IsEmpty());
}

TEST(WireStatus, UnknownCodesBecomeUnknown) {
  for (const int code : {17, 99, -1, -2147483647}) {
    const absl::Status status = FromParts(code, "new", {});
    EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << code;
    EXPECT_EQ(status.message(), "new");
  }
}

TEST(WireStatus, TheErrorInfoIsFoundAmongOtherDetails) {
  const std::string other =
      Field(3, Field(1, "type.googleapis.com/google.rpc.Help") + Field(2, "?"));
  const std::string ours = Field(3, Field(1, kErrorInfoType) + Field(2, Field(1, "GAP")));
  for (const std::string& details : {other + ours, ours + other}) {
    EXPECT_EQ(ErrorReason(FromGrpc(GrpcGap(details))), "GAP");
  }
}

TEST(WireStatus, DetailsThatCannotBeReadAreLeftOut) {
  const std::string cut = Field(1, "GAP") + Bytes({0x1a, 99, 1});
  const std::string unreadable = Field(3, Field(1, kErrorInfoType) + Field(2, cut));
  const std::string readable =
      Field(3, Field(1, kErrorInfoType) + Field(2, Field(3, Field(1, "at") + Field(2, "40"))));
  for (const std::string& details : {std::string("\xff\xff"), unreadable}) {
    const absl::Status status = FromGrpc(GrpcGap(details));
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(status.message(), "resume from 40");
    EXPECT_EQ(ErrorReason(status), "");
  }
  const absl::Status status = FromGrpc(GrpcGap(unreadable + readable));
  EXPECT_EQ(ErrorReason(status), "");
  EXPECT_THAT(ErrorFacts(status), ElementsAre(Pair("at", "40")));
}

TEST(WireStatus, AStatusOfAnotherServerIsTaken) {
  const absl::Status status = FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "no route"));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "no route");
  EXPECT_EQ(ErrorReason(status), "");
}

}  // namespace
}  // namespace winnow::wire
