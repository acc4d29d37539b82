// Inputs at a limit or past it: the call that has one ends with an error of its own, and no other.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <string>

#include "services/wire/status.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"
#include "winnow/v1/contexts.grpc.pb.h"

namespace winnow::testing {
namespace {

absl::Status Append(const std::string& address, const v1::AppendEntriesRequest& request) {
  const auto stub =
      v1::Contexts::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  v1::AppendEntriesReply reply;
  return wire::FromGrpc(stub->AppendEntries(&context, request, &reply));
}

TEST(LongInputTest, AnIdThatIsTooLongIsRefusedWithItsReason) {
  Server server({"--shards=1"});
  client::Client client(server.address());
  const Profile profile = SmallProfile();
  ASSERT_TRUE(client.RegisterProfile(profile).ok());
  const absl::Status refused =
      client.CreateContext(Fingerprint(profile), std::string(5000, 'x')).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
  EXPECT_EQ(ErrorReason(refused), "BAD_FIELD") << refused;
  EXPECT_EQ(ErrorFacts(refused)["field"], "context_id") << refused;
  v1::AppendEntriesRequest append;
  append.set_context_id(std::string(5000, 'x'));
  EXPECT_EQ(ErrorReason(Append(server.address(), append)), "BAD_FIELD");
}

}  // namespace
}  // namespace winnow::testing
