// Calls to a service that stops, and to an address where nobody is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "storage/error.h"
#include "tests/client/noting_service.h"
#include "winnow/client.h"

namespace winnow::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

absl::Status Draining(const std::string& message) {
  return Error(absl::StatusCode::kUnavailable, "DRAINING", message);
}

TEST(Retry, ACallThatAStoppingCoordinatorRefusesIsMadeAgain) {
  NotingService service;
  service.describe_with = {Draining("stopping"), Draining("stopping")};
  const auto context = Client(service.address()).OpenContext("book");
  EXPECT_TRUE(context.ok()) << context.status();
}

TEST(Retry, ACallThatAStoppingShardRefusesIsNot) {
  NotingService service;
  service.describe_with = {
      Error(absl::StatusCode::kUnavailable, "DRAINING", "shard 1 is stopping", {{"shards", "1"}})};
  EXPECT_EQ(ErrorFacts(Client(service.address()).OpenContext("book").status())["shards"], "1");
}

TEST(Retry, ACallThatAStoppingServerCutsOffIsMadeAgain) {
  NotingService service;
  service.describe_with = {absl::CancelledError("CANCELLED")};
  const auto context = Client(service.address()).OpenContext("book");
  EXPECT_TRUE(context.ok()) << context.status();
}

TEST(Retry, ACallThatIsCutOffAgainAndAgainFailsAsUnavailable) {
  NotingService service;
  service.describe_with = std::vector<absl::Status>(100, absl::CancelledError("CANCELLED"));
  const absl::Status status = Client(service.address()).OpenContext("book").status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(service.address()));
}

TEST(Retry, EndsAfterAWhile) {
  NotingService service;
  service.describe_with = std::vector<absl::Status>(100, Draining("stopping"));
  const absl::Time start = absl::Now();
  EXPECT_EQ(ErrorReason(Client(service.address()).OpenContext("book").status()), "DRAINING");
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

TEST(Retry, ADeadlineBeforeThereIsAConnectionMeansThatNobodyAnswers) {
  // The system takes the connection, but nobody speaks on it.
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 16), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string where = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  Client client(where, {.timeout = absl::Milliseconds(400)});
  const absl::Status status = client.ListTenants().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(ErrorReason(status), "");
  EXPECT_THAT(std::string(status.message()), HasSubstr(where + " in 400ms"));
  close(listener);
  const std::string nobody(client.ListTenants().status().message());
  EXPECT_THAT(nobody, AllOf(StartsWith("nobody answers at " + where),
                            HasSubstr("; is winnowd running there?"), Not(HasSubstr("ipv4"))));
}

}  // namespace
}  // namespace winnow::client
