#include "services/wire/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/error.h"
#include "tests/wire/samples.h"

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
