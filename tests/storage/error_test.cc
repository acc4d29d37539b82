#include "storage/error.h"

#include <gtest/gtest.h>

#include "absl/status/statusor.h"
#include "absl/strings/cord.h"

namespace winnow {
namespace {

using Facts = std::map<std::string, std::string>;

absl::Status Gap() {
  return Error(absl::StatusCode::kOutOfRange, "APPEND_GAP", "resend from 4032",
               {{"resume_position", "4032"}, {"context_id", "7f"}});
}

TEST(Error, CarriesCodeMessageReasonAndFacts) {
  const absl::Status status = Gap();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(std::string(status.message()), "resend from 4032");
  EXPECT_EQ(ErrorReason(status), "APPEND_GAP");
  EXPECT_EQ(ErrorFacts(status), (Facts{{"resume_position", "4032"}, {"context_id", "7f"}}));
}

TEST(Error, KeepsReasonAndFactsThroughAStatusOr) {
  const absl::StatusOr<int> result = [] { return absl::StatusOr<int>(Gap()); }();
  EXPECT_EQ(ErrorReason(result.status()), "APPEND_GAP");
  EXPECT_EQ(ErrorFacts(result.status()).at("resume_position"), "4032");
}

TEST(Error, MayHaveNoFacts) {
  const absl::Status status = Error(absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT", "no context");
  EXPECT_EQ(ErrorReason(status), "UNKNOWN_CONTEXT");
  EXPECT_EQ(ErrorFacts(status), Facts{});
}

TEST(Error, KeepsFactsThatAreNotText) {
  const std::string bytes("\0\xff slot/7=", 9);
  const absl::Status status = Error(absl::StatusCode::kAborted, "R", "m", {{"a/b", bytes}});
  EXPECT_EQ(ErrorFacts(status), (Facts{{"a/b", bytes}}));
}

TEST(Error, DiffersFromOneWithOtherFacts) {
  EXPECT_EQ(Gap(), Gap());
  EXPECT_NE(Gap(), Error(absl::StatusCode::kOutOfRange, "APPEND_GAP", "resend from 4032",
                         {{"resume_position", "4031"}, {"context_id", "7f"}}));
}

TEST(Error, FindsNothingInStatusesOfOthers) {
  absl::Status foreign = absl::InternalError("theirs");
  foreign.SetPayload("type.googleapis.com/other.Detail", absl::Cord("payload"));
  for (const absl::Status& status : {foreign, absl::OkStatus()}) {
    EXPECT_EQ(ErrorReason(status), "");
    EXPECT_EQ(ErrorFacts(status), Facts{});
  }
}

TEST(InvalidField, SaysWhatIsWrongAndWhatWouldBeRight) {
  const absl::Status status = InvalidField("top_k", "0", "in 1..16384");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "top_k is 0; it must be in 1..16384");
  EXPECT_EQ(ErrorReason(status), "BAD_FIELD");
  EXPECT_EQ(ErrorFacts(status),
            (Facts{{"field", "top_k"}, {"value", "0"}, {"limit", "in 1..16384"}}));
}

}  // namespace
}  // namespace winnow
