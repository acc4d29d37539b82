// What winnowctl says to those who hold it wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/cluster/run_ctl.h"

namespace winnow::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(WinnowctlUsageTest, AFlagWithoutItsValueDoesNotTakeTheNextArgumentForIt) {
  const Outcome outcome = RunCtl({"--tenant=", "context", "list"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("--tenant has no value behind its '='"));
}

TEST(WinnowctlUsageTest, AnUnknownCommandIsNamed) {
  const Outcome unknown = RunCtl({"contxt", "list"});
  EXPECT_EQ(unknown.code, kUsage);
  EXPECT_THAT(unknown.err, HasSubstr("'contxt' is no command of winnowctl; it must be one of "));
  const Outcome below = RunCtl({"snapshot", "save-al", "/backup"});
  EXPECT_EQ(below.code, kUsage);
  EXPECT_THAT(below.err, AllOf(HasSubstr("'save-al' is no command of winnowctl snapshot"),
                               HasSubstr("save-all")));
  EXPECT_THAT(RunCtl({"context"}).err, HasSubstr("winnowctl context needs a command"));
  EXPECT_THAT(RunCtl({"context", "create"}).err, HasSubstr("--profile is required"));
}

// Lines of "  name   description" that have none.
std::string WithoutDescription(const std::string& help) {
  std::string found;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    const bool names_one = line.starts_with("  ") && line[2] != ' ';
    if (names_one && line.find("  ", 2) == std::string::npos && line.size() < 30) found += line;
  }
  return found;
}

TEST(WinnowctlUsageTest, HelpDescribesEveryFlag) {
  for (const std::string command :
       {"attend", "bench attend", "context append", "context create", "context delete",
        "context describe", "context fork", "context renew", "context seal", "demo", "pin",
        "profile register", "snapshot save", "spill", "verify"}) {
    std::vector<std::string> args = absl::StrSplit(command, ' ');
    args.push_back("--help");
    const Outcome help = RunCtl(args);
    EXPECT_EQ(help.code, kOk) << command;
    EXPECT_EQ(WithoutDescription(help.out), "") << command << "\n" << help.out;
    EXPECT_THAT(help.out, HasSubstr("see winnowctl --help")) << command;
  }
  EXPECT_THAT(RunCtl({"bench", "attend", "--help"}).out, HasSubstr("portable"));
  EXPECT_THAT(RunCtl({"--help"}).out, HasSubstr("128 + n"));
}

TEST(WinnowctlUsageTest, OutputThatIsLostIsAnError) {
  const TempDir dir;
  const auto said_of = [&](const std::string& command) {
    const std::string err = dir.File("err");
    const std::string line = absl::StrCat(WINNOW_BIN_DIR, "/", command, " >/dev/full 2>", err);
    EXPECT_EQ(WEXITSTATUS(std::system(line.c_str())), kRefused) << command;
    std::string said;
    std::ifstream file(err);
    std::getline(file, said);
    return said;
  };
  EXPECT_EQ(said_of("winnowctl profile presets"),
            "winnowctl: cannot write to stdout: No space left on device");
  EXPECT_THAT(said_of("winnowctl --version"), HasSubstr("cannot write to stdout"));
  EXPECT_THAT(said_of("winnowd --help"), HasSubstr("cannot write to stdout"));
}

TEST(WinnowctlUsageTest, FindsAServiceThatComesMeanwhile) {
  const std::string address = Server({"--shards=1"}).address();
  for (int i = 0; i < 3; ++i) {
    Process ctl("winnowctl", {"nodes", "--address=" + address});
    absl::SleepFor(absl::Milliseconds(200));
    const Server server({"--shards=1"}, address);
    EXPECT_EQ(ctl.Wait(), kOk) << ctl.Err();
  }
}

TEST(WinnowctlUsageTest, ASnapshotsDirectoryIsAnAbsolutePath) {
  for (std::vector<std::string> args : std::vector<std::vector<std::string>>{
           {"save", "book"}, {"load"}, {"save-all"}, {"load-all"}}) {
    args.insert(args.begin(), "snapshot");
    args.push_back("here");
    const Outcome outcome = RunCtl(args);
    EXPECT_EQ(outcome.code, kUsage) << args[1];
    EXPECT_THAT(outcome.err, HasSubstr("directory is 'here'; it must be an absolute path"));
  }
}

TEST(WinnowctlUsageTest, AShardIsNotACoordinator) {
  const Server shard({"--role=shard"});
  for (const char* command : {"nodes", "shards"}) {
    const Outcome outcome = RunCtl({command, "--address=" + shard.address()});
    EXPECT_EQ(outcome.code, kRefused);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(shard.address()), HasSubstr("not a coordinator")));
  }
}

TEST(WinnowctlUsageTest, AProxyOfTheEnvironmentIsNotForIt) {
  const Service service = Service::Standalone(1);
  const std::string nobody = "http://127.0.0.1:9";
  const Outcome outcome =
      RunCtl({"nodes", "--address=" + service.address()}, {{"grpc_proxy", nobody},
                                                           {"http_proxy", nobody},
                                                           {"https_proxy", nobody},
                                                           {"no_proxy", ""},
                                                           {"no_grpc_proxy", ""}});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
}

TEST(WinnowctlUsageTest, AProfileOfOnesOwnIsAnEditedOne) {
  const Service service = Service::Standalone(1);
  const std::string address = "--address=" + service.address();
  const TempDir dir;
  ASSERT_EQ(RunCtl({"profile", "register", "glm-5", address}).code, kOk);
  json profiles = json::parse(RunCtl({"profile", "list", "-o", "json", address}).out);
  ASSERT_EQ(profiles.size(), 1u);
  profiles[0]["name"] = "mine";
  profiles[0]["layer_kinds"] = {"none", "own", "shared"};
  const std::vector<std::string> command = {"profile", "register", "-o", "json", address};
  const auto registered = [&](const json& list) {
    std::vector<std::string> args = command;
    args.push_back("--file=" + dir.Write("profiles.json", list.dump(2)));
    return RunCtl(args);
  };
  const Outcome stale = registered(profiles);
  EXPECT_EQ(stale.code, kUsage);
  EXPECT_THAT(stale.err, AllOf(HasSubstr("profiles.json: layers is 78"), HasSubstr("has, 3")));
  profiles[0].erase("layers");
  const Outcome done = registered(profiles);
  ASSERT_EQ(done.code, kOk) << done.err;
  const json mine = json::parse(done.out)[0];
  EXPECT_EQ(mine["layers"], 3);
  EXPECT_EQ(mine["indexed_layers"], 1);
  EXPECT_EQ(RunCtl({"context", "create", "--profile=mine", "--id=book", address}).code, kOk);
  EXPECT_EQ(RunCtl(command).code, kUsage) << "neither a preset nor a file";
  EXPECT_THAT(RunCtl({"profile", "register", "--file=" + dir.File("absent"), address}).err,
              HasSubstr("absent cannot be read: No such file or directory"));
}

TEST(WinnowctlUsageTest, ANameOfSeveralProfilesIsNoName) {
  const Service service = Service::Standalone(1);
  const std::string address = "--address=" + service.address();
  const TempDir dir;
  const auto fingerprint_of = [&](json profile, const char* name, int top_k) {
    profile["name"] = name;
    profile["top_k"] = top_k;
    const Outcome done =
        RunCtl({"profile", "register", "-o", "json", address,
                "--file=" + dir.Write("profile.json", json::array({profile}).dump())});
    EXPECT_EQ(done.code, kOk) << done.err;
    return json::parse(done.out)[0]["fingerprint"].get<std::string>();
  };
  const json presets = json::parse(RunCtl({"profile", "presets", "-o", "json"}).out);
  const std::vector<std::string> mine = {fingerprint_of(presets[0], "mine", 100),
                                         fingerprint_of(presets[0], "mine", 200)};
  const std::string like_a_preset = fingerprint_of(presets[0], "glm-5", 100);
  const auto create = [&](const std::string& profile) {
    return RunCtl({"context", "create", "--profile=" + profile, address});
  };
  const Outcome ambiguous = create("mine");
  EXPECT_EQ(ambiguous.code, kRefused);
  EXPECT_THAT(ambiguous.err,
              AllOf(HasSubstr("AMBIGUOUS_PROFILE"), HasSubstr(mine[0]), HasSubstr(mine[1])));
  EXPECT_THAT(create("glm-5").err, AllOf(HasSubstr("AMBIGUOUS_PROFILE"), HasSubstr(like_a_preset)));
  EXPECT_THAT(create(mine[1]).out, HasSubstr(mine[1]));
}

TEST(WinnowctlUsageTest, AContextThatExistsIsNotTakenForWhatWasAskedFor) {
  const TempDir dir;
  const Service service = Service::Standalone(1, {"--data-dir=" + dir.File("data")});
  const std::vector<std::string> create = {"context", "create", "--profile=glm-5", "--id=book",
                                           "--address=" + service.address()};
  const auto again = [&](const char* flag) {
    std::vector<std::string> args = create;
    args.push_back(flag);
    return RunCtl(args);
  };
  ASSERT_EQ(again("--ttl=2h").err, "");
  EXPECT_EQ(again("--durability=logged").err, "");
  EXPECT_EQ(again("--ttl=2h").err, "");
  const Outcome other_durability = again("--durability=synced");
  EXPECT_EQ(other_durability.code, kRefused);
  EXPECT_THAT(other_durability.err, HasSubstr("book exists with durability logged, not synced"));
  for (const char* ttl : {"--ttl=never", "--ttl=1h", "--ttl=3h"}) {
    const Outcome other_lease = again(ttl);
    EXPECT_EQ(other_lease.code, kOk);
    EXPECT_THAT(other_lease.err, AllOf(HasSubstr("expires in 1h59m"), HasSubstr("context renew")));
  }
}

TEST(WinnowctlUsageTest, DeletesNothingWithoutAYes) {
  const Service service = Service::Standalone(1);
  const std::string address = "--address=" + service.address();
  const std::vector<std::string> remove = {"context", "delete", "book", address};
  ASSERT_EQ(RunCtl({"context", "create", "--profile=glm-5", "--id=book", address}).code, kOk);
  const Outcome nobody = RunCtl(remove);
  EXPECT_EQ(nobody.code, kUsage);
  EXPECT_THAT(nobody.err, HasSubstr("--yes"));
  const Outcome no = RunCtl(remove, {}, "n\n");
  EXPECT_EQ(no.code, kRefused);
  EXPECT_THAT(no.err, AllOf(HasSubstr("book is kept"), Not(HasSubstr("--help"))));
  EXPECT_EQ(RunCtl({"context", "describe", "book", address}).code, kOk);
  EXPECT_EQ(RunCtl(remove, {}, "y").code, kOk);
  EXPECT_EQ(RunCtl({"context", "describe", "book", address}).code, kRefused);
}

TEST(WinnowctlUsageTest, NumbersOutOfTheirRangeAreRefused) {
  struct BadNumber {
    std::vector<std::string> args;
    std::string flag;
    std::string value;
    std::string limit;
  };
  const std::string two_to_64 = "18446744073709551616";
  for (const BadNumber& bad : std::vector<BadNumber>{
           {{"attend", "book"}, "--layer", "-1", "0..255"},
           {{"attend", "book"}, "--layer", "256", "0..255"},
           {{"attend", "book"}, "--seed", two_to_64, "0..18446744073709551615"},
           {{"attend", "book"}, "--show", "4294967297", "0..16384"},
           {{"context", "append", "book"}, "--synthetic", "0", "1..2147483648"},
           {{"context", "append", "book", "--synthetic=1"}, "--seed", "-1", "0.."},
           {{"context", "fork", "book"}, "--entries", "-1", "0..2147483648"},
           {{"context", "fork", "book"}, "--entries", "99999999999999999999", "0..2147483648"},
           {{"bench", "attend"}, "--entries", "2147483649", "1..2147483648"},
           {{"bench", "attend"}, "--shards", "4294967297", "1..4096"},
           {{"bench", "attend"}, "--queries", "1.5", "1..1000000"},
           {{"bench", "attend"}, "--warmup", "-1", "0..1000000"},
           {{"bench", "attend"}, "--seed", "-1", "0.."},
           {{"demo"}, "--tokens", "1023", "1024..1073741824"},
           {{"demo"}, "--shards", "-1", "1..64"},
           {{"demo"}, "--passages", "0", "1..1000000"},
           {{"demo"}, "--length", two_to_64, "1..1048576"},
           {{"demo"}, "--seed", "0x1", "0.."},
           {{"nodes"}, "--address", "127.0.0.1:99999", "a port in 1..65535"},
           {{"nodes"}, "--address", "127.0.0.1:0", "a port in 1..65535"},
           {{"nodes"}, "--address", "localhost", "a port in 1..65535"}}) {
    std::vector<std::string> args = bad.args;
    args.insert(args.end(), {bad.flag, bad.value});
    const Outcome outcome = RunCtl(args);
    EXPECT_EQ(outcome.code, kUsage) << bad.flag << " " << bad.value;
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr(bad.flag + " is '" + bad.value + "'"), HasSubstr(bad.limit)));
  }
  const Outcome variable = RunCtl({"nodes"}, {{"WINNOW_ADDRESS", "127.0.0.1:99999"}});
  EXPECT_EQ(variable.code, kUsage);
  EXPECT_THAT(variable.err, HasSubstr("127.0.0.1:99999"));
}

}  // namespace
}  // namespace winnow::testing
