#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "tests/client/parse_options.h"
#include "tests/cluster/process.h"

namespace winnow {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Options, OfWhoeverRunsTheTestsAreNotTheirs) {
  setenv("WINNOW_SHARDS", "3", 1);
  EXPECT_EQ(Accepted({}).shards, 4u);
  testing::Process process("winnowd", {"--role=coordinator", "--shard-address=a:b"});
  unsetenv("WINNOW_SHARDS");
  EXPECT_EQ(process.Wait(), 2);
  EXPECT_THAT(process.Err(), HasSubstr("--shard-address is 'a:b'"));
}

TEST(Options, Defaults) {
  const Options options = Accepted({});
  EXPECT_EQ(options.role, Role::kStandalone);
  EXPECT_EQ(options.listen, "127.0.0.1:7600");
  EXPECT_EQ(options.port_file, "");
  EXPECT_EQ(options.shards, 4u);
  EXPECT_THAT(options.shard_addresses, IsEmpty());
  EXPECT_EQ(options.threads, 0);
  EXPECT_EQ(options.kernels, "");
  EXPECT_EQ(options.device, "cpu");
  EXPECT_EQ(options.device_memory_bytes, 0u);
  EXPECT_EQ(options.memory_budget_bytes, 0u);
  EXPECT_EQ(options.max_message_bytes, 67108864u);
  EXPECT_EQ(options.max_deadline, absl::Seconds(60));
  EXPECT_EQ(options.selection_ttl, absl::Seconds(60));
  EXPECT_EQ(options.max_selections, 4096u);
  EXPECT_EQ(options.drain_timeout, absl::Seconds(10));
  EXPECT_EQ(options.data_dir, "");
  EXPECT_EQ(options.durability, Durability::kMemory);
  EXPECT_EQ(options.spill_bytes_per_second, 0u);
  EXPECT_EQ(options.scrub_bytes_per_second, 8'000'000u);
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
  EXPECT_EQ(options.log_format, LogFormat::kText);
}

const Environment& Others() {
  static const auto* others = new Environment{{"--listen", "0.0.0.0:0"},
                                              {"--port-file", "/tmp/port"},
                                              {"--shards", "7"},
                                              {"--threads", "3"},
                                              {"--kernels", "portable"},
                                              {"--memory-budget", "12GiB"},
                                              {"--max-message", "65536"},
                                              {"--max-deadline", "24h"},
                                              {"--selection-ttl", "1ms"},
                                              {"--max-selections", "16777216"},
                                              {"--drain-timeout", "0"},
                                              {"--log-level", "error"},
                                              {"--log-format", "json"},
                                              {"--device", "cuda:3"},
                                              {"--device-memory", "40GiB"},
                                              {"--data-dir", "/var/lib/winnow"},
                                              {"--durability", "synced"},
                                              {"--spill-rate", "100MB"},
                                              {"--scrub-rate", "0"}};
  return *others;
}

void ExpectOthers(const Options& options) {
  EXPECT_EQ(options.listen, "0.0.0.0:0");
  EXPECT_EQ(options.port_file, "/tmp/port");
  EXPECT_EQ(options.shards, 7u);
  EXPECT_EQ(options.threads, 3);
  EXPECT_EQ(options.kernels, "portable");
  EXPECT_EQ(options.memory_budget_bytes, size_t{12} << 30);
  EXPECT_EQ(options.max_message_bytes, 65536u);
  EXPECT_EQ(options.max_deadline, absl::Hours(24));
  EXPECT_EQ(options.selection_ttl, absl::Milliseconds(1));
  EXPECT_EQ(options.max_selections, 16777216u);
  EXPECT_EQ(options.drain_timeout, absl::ZeroDuration());
  EXPECT_EQ(options.log_level, LogLevel::kError);
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_EQ(options.device, "cuda:3");
  EXPECT_EQ(options.device_memory_bytes, size_t{40} << 30);
  EXPECT_EQ(options.data_dir, "/var/lib/winnow");
  EXPECT_EQ(options.durability, Durability::kSynced);
  EXPECT_EQ(options.spill_bytes_per_second, 100'000'000u);
  EXPECT_EQ(options.scrub_bytes_per_second, 0u);
}

TEST(Options, EveryFlagCanBeGivenInThreePlaces) {
  std::vector<std::string> flags;
  Environment environment;
  std::string lines;
  for (const auto& [flag, value] : Others()) {
    flags.push_back(flag + "=" + value);
    environment[EnvironmentName(flag)] = value;
    lines += flag.substr(2) + "=" + value + "\n";
  }
  ExpectOthers(Accepted(flags));
  ExpectOthers(Accepted({}, environment));
  const testing::TempDir dir;
  ExpectOthers(Accepted({"--config", dir.Write("config", lines)}));
}

struct BadValue {
  std::string flag;
  std::string value;
  std::string limit;
};

TEST(Options, BadValuesAreRefusedWithFlagValueAndLimit) {
  const std::string address = "HOST:PORT with a port in 0..65535";
  const std::string day = "a duration in 1ms..24h, like 500ms, 10s or 2m";
  const std::string budget = "0 for no limit, or a size in 16777216..1125899906842624 bytes";
  const testing::TempDir dir;
  for (const BadValue& bad : std::vector<BadValue>{
           {"--role", "king", "one of coordinator, shard, standalone"},
           {"--listen", "nowhere", address},
           {"--listen", ":7600", address},
           {"--listen", "host:", address},
           {"--listen", "host:65536", address},
           {"--listen", "host:-1", address},
           {"--shards", "0", "a whole number in 1..4096"},
           {"--shards", "4097", "a whole number in 1..4096"},
           {"--shards", "1.5", "a whole number in 1..4096"},
           {"--shards", "4294967297", "a whole number in 1..4096"},
           {"--threads", "-1", "a whole number in 0..1024"},
           {"--threads", "1025", "a whole number in 0..1024"},
           {"--numa", "4095", "auto"},
           {"--kernels", "abacus", "one that this machine can run: reference, portable"},
           {"--memory-budget", "lots", budget + ", like 64MiB"},
           {"--memory-budget", "1125899906842625", budget},
           {"--memory-budget", "99999999999999999999", budget},
           {"--memory-budget", "1XB", budget},
           {"--memory-budget", "1", budget},
           {"--memory-budget", "16777215", budget},
           {"--max-message", "65535", "a size in 65536..2145386495 bytes"},
           {"--max-message", "2145386496", "a size in 65536..2145386495 bytes"},
           {"--max-deadline", "soon", day},
           {"--max-deadline", "60", day},
           {"--max-deadline", "24h1ms", day},
           {"--selection-ttl", "999us", day},
           {"--selection-ttl", "inf", day},
           {"--max-selections", "0", "a whole number in 1..16777216"},
           {"--max-selections", "16777217", "a whole number in 1..16777216"},
           {"--drain-timeout", "-1s", "a duration in 0..24h"},
           {"--durability", "eternal", "one of logged, memory, synced"},
           {"--spill-rate", "fast", "a size in 0..1099511627776 bytes"},
           {"--scrub-rate", "-1", "a size in 0..1099511627776 bytes"},
           {"--scrub-rate", "1099511627777", "a size in 0..1099511627776 bytes"},
           {"--log-level", "loud", "one of debug, error, info, trace, warn"},
           {"--log-format", "xml", "one of json, text"}}) {
    const auto message = AllOf(HasSubstr(bad.flag + " is '" + bad.value + "'; it must be "),
                               HasSubstr("it must be " + bad.limit));
    EXPECT_THAT(Refused({bad.flag + "=" + bad.value}), message);
    EXPECT_THAT(Refused({}, {{EnvironmentName(bad.flag), bad.value}}), message);
    const std::string line = bad.flag.substr(2) + "=" + bad.value + "\n";
    EXPECT_THAT(Refused({"--config=" + dir.Write("config", line)}), message);
  }
}

TEST(Options, SizesTakeDecimalAndBinaryUnits) {
  for (const auto& [text, bytes] : std::map<std::string, size_t>{{"0", 0},
                                                                 {"20000000", 20'000'000},
                                                                 {"20000kb", 20'000'000},
                                                                 {"16384KiB", size_t{16} << 20},
                                                                 {"64MB", 64'000'000},
                                                                 {"64MiB", size_t{64} << 20},
                                                                 {"3 GiB", size_t{3} << 30},
                                                                 {"1PiB", size_t{1} << 50}}) {
    EXPECT_EQ(Accepted({"--memory-budget=" + text}).memory_budget_bytes, bytes) << text;
  }
}

TEST(Options, ADataDirectoryMakesContextsDurable) {
  EXPECT_EQ(Accepted({"--data-dir=/d"}).durability, Durability::kLogged);
  EXPECT_EQ(Accepted({"--data-dir=/d", "--durability=memory"}).durability, Durability::kMemory);
  EXPECT_EQ(Accepted({"--durability=memory"}).durability, Durability::kMemory);
  for (const char* durability : {"logged", "synced"}) {
    EXPECT_THAT(
        Refused({std::string("--durability=") + durability}),
        HasSubstr(std::string("--durability is ") + durability + ", which needs --data-dir"));
  }
}

TEST(Options, ACoordinatorNeedsShards) {
  EXPECT_THAT(Refused({"--role=coordinator"}), HasSubstr("needs --shard-address"));
  for (const char* role : {"standalone", "shard"}) {
    EXPECT_THAT(Refused({std::string("--role=") + role, "--shard-address=a:1"}),
                HasSubstr("--shard-address is for --role coordinator only"));
  }
}

TEST(Options, OnlyAStandaloneServiceIsToldItsShards) {
  EXPECT_EQ(Accepted({"--role=standalone", "--shards=2"}).shards, 2u);
  EXPECT_THAT(Refused({"--role=shard", "--shards=2"}),
              HasSubstr("--shards is for --role standalone only"));
  EXPECT_THAT(Refused({"--role=coordinator", "--shard-address=a:1"}, {{"WINNOW_SHARDS", "2"}}),
              HasSubstr("--shards is for --role standalone only"));
}

TEST(Options, ACoordinatorTakesNothingThatIsForShards) {
  for (const auto& [flag, value] : Environment{{"--device", "cuda:0"},
                                               {"--device-memory", "1GiB"},
                                               {"--memory-budget", "1GiB"},
                                               {"--max-selections", "7"},
                                               {"--selection-ttl", "7s"},
                                               {"--durability", "memory"},
                                               {"--spill-rate", "1GB"},
                                               {"--scrub-rate", "1GB"}}) {
    const std::string given = flag + "=" + value;
    EXPECT_THAT(Refused({"--role=coordinator", "--shard-address=a:1", given}),
                HasSubstr(flag + " is for shards, not for --role coordinator"));
    Accepted({"--role=shard", given});
  }
}

TEST(Options, ShardAddressesKeepTheirOrderWhereverTheyAreGiven) {
  const testing::TempDir dir;
  const auto addresses = ElementsAre("b:2", "a:1", "c:3");
  EXPECT_THAT(Accepted({"--role=coordinator", "--shard-address=b:2", "--shard-address=a:1,c:3"})
                  .shard_addresses,
              addresses);
  EXPECT_THAT(
      Accepted({"--role=coordinator"}, {{"WINNOW_SHARD_ADDRESS", "b:2,a:1,c:3"}}).shard_addresses,
      addresses);
  const std::string lines = "role=coordinator\nshard-address=[b:2, a:1, c:3]\n";
  EXPECT_THAT(Accepted({"--config=" + dir.Write("config", lines)}).shard_addresses, addresses);
}

TEST(Options, ShardAddressesThatCannotBeAreRefused) {
  const auto refused = [](const std::string& addresses) {
    return Refused({"--role=coordinator", "--shard-address=" + addresses});
  };
  EXPECT_THAT(refused("a:1,nowhere"),
              HasSubstr("--shard-address is 'nowhere'; it must be HOST:PORT"));
  EXPECT_THAT(refused("a:1,b:0"), HasSubstr("--shard-address is 'b:0'; it must be HOST:PORT with a "
                                            "port in 1..65535"));
  EXPECT_THAT(refused("a:1,b:1,a:1"), HasSubstr("--shard-address names a:1 twice"));
  std::string many = "a:1";
  for (int i = 0; i < 4096; ++i) many += ",h" + std::to_string(i) + ":1";
  EXPECT_THAT(refused(many), AllOf(HasSubstr("given 4097 times"), HasSubstr("at most 4096")));
}

TEST(Options, WhatIsUnknownIsRefused) {
  const testing::TempDir dir;
  EXPECT_THAT(Refused({"--shrads=2"}), HasSubstr("shrads"));
  EXPECT_THAT(Refused({"extra"}), HasSubstr("extra"));
  EXPECT_THAT(Refused({"--shards"}), HasSubstr("--shards"));
  EXPECT_THAT(Refused({"--config=" + dir.Write("config", "shrads=2\n")}), HasSubstr("shrads"));
  EXPECT_THAT(Refused({"--config=" + dir.File("absent")}), HasSubstr("absent"));
}

TEST(Options, AFlagWithoutItsValueDoesNotTakeTheNextForIt) {
  EXPECT_THAT(Refused({"--data-dir=", "--listen=127.0.0.1:0"}),
              HasSubstr("--data-dir has no value behind its '='"));
  EXPECT_THAT(Refused({"--data-dir", "--listen=127.0.0.1:0"}),
              HasSubstr("--data-dir is '--listen=127.0.0.1:0'"));
  EXPECT_THAT(Refused({"--data-dir", ""}), HasSubstr("--data-dir is ''"));
  EXPECT_THAT(Refused({"--config="}), HasSubstr("--config has no value"));
  EXPECT_EQ(Accepted({"--data-dir=/d="}).data_dir, "/d=");
}

TEST(Options, HelpAndVersionExitWithZero) {
  const Outcome help = Parse({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const auto& [flag, value] : Others()) EXPECT_THAT(help.out, HasSubstr("  " + flag));
  const Outcome version = Parse({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, HasSubstr("winnowd 0."));
}

TEST(Options, RolesAreCalledWhatTheFlagCallsThem) {
  for (const Role role : {Role::kStandalone, Role::kCoordinator, Role::kShard}) {
    const std::string name = RoleName(role);
    std::vector<std::string> flags = {"--role=" + name};
    if (role == Role::kCoordinator) flags.push_back("--shard-address=a:1");
    EXPECT_EQ(Accepted(flags).role, role) << name;
  }
}

}  // namespace
}  // namespace winnow
