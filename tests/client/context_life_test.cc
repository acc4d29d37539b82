// How the client makes and deletes contexts where the service fails in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/error.h"
#include "tests/client/noting_service.h"
#include "winnow/client.h"

namespace winnow::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

// gRPC rounds a timeout to one that is 3 % away and was sent before, so what is compared is more.
const ClientOptions kShort = {.timeout = absl::Seconds(2)};

absl::Status Unknown() {
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT", "no such context");
}

// Of calls that began NotingService::kLate apart.
void ExpectOneDeadline(const std::vector<absl::Time>& deadlines) {
  ASSERT_EQ(deadlines.size(), 2u);
  EXPECT_LT(absl::AbsDuration(deadlines[1] - deadlines[0]), NotingService::kLate / 2);
}

TEST(ContextLife, AnIdThatNobodyGaveIsDrawnByTheClient) {
  NotingService service;
  const auto context = Client(service.address(), kShort).CreateContext("fingerprint");
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_THAT(context->id(), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(service.created(), ElementsAre(context->id()));
  EXPECT_THAT(service.deleted(), IsEmpty());
  ExpectOneDeadline(service.deadlines());
}

TEST(ContextLife, WhatNobodyCouldNameIsDeletedAgain) {
  NotingService service;
  service.describe_with = {absl::InternalError("no luck")};
  EXPECT_TRUE(absl::IsInternal(Client(service.address()).CreateContext("fingerprint").status()));
  EXPECT_EQ(service.deleted(), service.created());
}

TEST(ContextLife, WhatTheCallerCanNameIsKept) {
  NotingService service;
  service.describe_with = {absl::InternalError("no luck")};
  Client client(service.address());
  EXPECT_TRUE(absl::IsInternal(client.CreateContext("fingerprint", "book").status()));
  EXPECT_THAT(service.created(), ElementsAre("book"));
  EXPECT_THAT(service.deleted(), IsEmpty());
}

TEST(ContextLife, AForkThatFailsLeavesNothingUnnamed) {
  NotingService service;
  service.fork_with = {absl::InternalError("no luck"), absl::InternalError("no luck"),
                       absl::OkStatus()};
  std::string id;
  {
    Client client(service.address());
    const Context context = client.OpenContext("book").value();
    EXPECT_FALSE(context.Fork(0).ok());
    EXPECT_FALSE(context.Fork(0, "page").ok());
    id = context.Fork(0).value().id();
  }
  ASSERT_EQ(service.created().size(), 3u);
  EXPECT_THAT(service.deleted(), ElementsAre(service.created()[0]));
  EXPECT_EQ(id, service.created()[2]);
}

TEST(ContextLife, ADeletionWhoseReplyWasLostIsDone) {
  NotingService service;
  Client client(service.address());
  const Context context = client.OpenContext("book").value();
  service.delete_with = {absl::UnavailableError("cut off"), Unknown()};
  EXPECT_TRUE(context.Delete().ok());
  service.delete_with = {absl::UnavailableError("cut off"), Unknown()};
  EXPECT_TRUE(client.DeleteContext("book").ok());
  service.delete_with = {Unknown()};
  EXPECT_TRUE(absl::IsNotFound(client.DeleteContext("book")));
}

TEST(ContextLife, AListIsOneCallToItsCaller) {
  NotingService service;
  ASSERT_TRUE(Client(service.address(), kShort).ListContexts().ok());
  ExpectOneDeadline(service.deadlines());
}

}  // namespace
}  // namespace winnow::client
