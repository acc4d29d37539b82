// What an operator finds in the logs when calls fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"

namespace winnow::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kEntries = 2 * 4096 + 1000;
constexpr absl::Duration kInTime = absl::Seconds(40);

// The lines of the server's log that have this in them.
std::vector<std::string> Lines(Server& server, const std::string& text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(server.process().Err(), '\n')) {
    if (line.find(text) != absl::string_view::npos) lines.emplace_back(line);
  }
  return lines;
}

class LogTest : public ::testing::Test {
 protected:
  LogTest()
      : trial_(SmallProfile(), kEntries, kernels::TestSeed()), query_(trial_.Query({kEntries})) {}

  Trial trial_;
  const TrialQuery query_;
};

TEST_F(LogTest, AShardThatHangsIsWarnedOfOnceAndWhoseCallItWas) {
  Service service = Service::Processes(2);
  client::Client client(service.address(), {.tenant = "somebody"});
  const std::string id = trial_.Load(client, 1000).id();
  client::Client hasty(service.address(), {.tenant = "somebody", .timeout = absl::Seconds(2)});
  auto context = hasty.OpenContext(id);
  ASSERT_TRUE(context.ok()) << context.status();
  service.shard(1).process().Stop();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(context->Select(0, query_.Index()).status()));
  }
  service.shard(1).process().Signal(SIGCONT);
  const std::vector<std::string> lines = Lines(service.coordinator(), "DEADLINE_EXCEEDED");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0],
              AllOf(HasSubstr(" warn "), HasSubstr("method=Select"), HasSubstr("shard 1 at"),
                    HasSubstr("tenant=somebody"), HasSubstr("context=" + id)));
}

TEST_F(LogTest, AWrongListOfShardsIsWarnedOfOnBothSides) {
  Service service = Service::Processes(2);
  client::Client client(service.address());
  trial_.Load(client, 1000);
  const std::vector<std::string> shards = service.shard_addresses();
  Server wrong({"--role=coordinator", "--shard-address=" + shards[1] + "," + shards[0]});
  client::Client misled(wrong.address());
  ASSERT_TRUE(misled.RegisterProfile(trial_.profile()).ok());
  const absl::Status refused = misled.CreateContext(Fingerprint(trial_.profile()), "lost").status();
  EXPECT_EQ(ErrorReason(refused), "WRONG_SHARD") << refused;
  EXPECT_THAT(Lines(wrong, "WRONG_SHARD"),
              ElementsAre(AllOf(HasSubstr(" warn "), HasSubstr("context=lost"))));
  EXPECT_THAT(Lines(service.shard(0), "WRONG_SHARD"),
              Each(AllOf(HasSubstr(" warn "), HasSubstr("context=default/lost"))));
  EXPECT_THAT(Lines(service.shard(0), "WRONG_SHARD"), Not(IsEmpty()));
}

TEST_F(LogTest, AQueryThatSeesTooFarIsNoLossOfTheShards) {
  Service service = Service::Processes(2);
  client::Client client(service.address());
  const client::Context context = trial_.Load(client, 1000);
  const absl::Status status = context.Select(0, trial_.Query({kEntries + 1}).Index()).status();
  EXPECT_EQ(ErrorReason(status), "VISIBLE_OUT_OF_RANGE") << status;
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Lines(service.shard(i), "call failed"), IsEmpty());
}

TEST_F(LogTest, TheLossAndTheReturnOfAShardAreLoggedOnceEach) {
  Service service = Service::Processes(1);
  client::Client client(service.address());
  const client::Context context = trial_.Load(client, 1000);
  service.shard(0).process().Signal(SIGKILL);
  service.shard(0).process().Wait();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(absl::IsUnavailable(context.Select(0, query_.Index()).status()));
  }
  service.RestartShard(0);
  absl::Status status = absl::UnavailableError("not tried");
  for (const absl::Time until = absl::Now() + kInTime;
       absl::IsUnavailable(status) && absl::Now() < until;) {
    status = context.Select(0, query_.Index()).status();
  }
  EXPECT_FALSE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(Lines(service.coordinator(), "shard lost"),
              ElementsAre(AllOf(HasSubstr(" warn "), HasSubstr("shard=0"),
                                HasSubstr("address=" + service.shard_addresses()[0]))));
  EXPECT_THAT(Lines(service.coordinator(), "shard is back"), SizeIs(1));
}

}  // namespace
}  // namespace winnow::testing
