// winnowctl as an operator uses it: what it prints, and its exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/cluster/run_ctl.h"
#include "tests/support/temp_dir.h"

namespace winnow::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class WinnowctlTest : public ::testing::Test {
 protected:
  Outcome Ctl(std::vector<std::string> args) {
    args.push_back("--address=" + service_.address());
    return RunCtl(std::move(args));
  }
  json CtlJson(std::vector<std::string> args) {
    args.insert(args.end(), {"-o", "json"});
    const Outcome outcome = Ctl(std::move(args));
    EXPECT_EQ(outcome.code, kOk) << outcome.err;
    return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }

  Service service_ = Service::Standalone(2);
};

TEST_F(WinnowctlTest, AContextFromCreationToDeletion) {
  EXPECT_EQ(CtlJson({"context", "create", "--profile=deepseek-v3.2", "--id=book"})["context_id"],
            "book");
  EXPECT_THAT(Ctl({"attend", "book"}).err, HasSubstr("context book has no entries yet"));
  EXPECT_EQ(Ctl({"context", "append", "book", "--synthetic=200"}).code, kOk);
  EXPECT_EQ(Ctl({"context", "append", "book", "--synthetic=50"}).code, kOk);
  const json described = CtlJson({"context", "describe", "book"});
  EXPECT_EQ(described["entries"], 250);
  EXPECT_EQ(described["index_bytes"], 250 * 61 * 132);
  EXPECT_THAT(Ctl({"attend", "book"}).out, HasSubstr("250 entries scanned on 1 of 2 shards"));
  const json list = CtlJson({"context", "list"});
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0]["context_id"], "book");
  const json attended = CtlJson({"attend", "book", "--layer=3"});
  EXPECT_EQ(attended["entries_scanned"], 250) << attended;
  EXPECT_EQ(CtlJson({"context", "fork", "book", "--entries=100", "--fork-id=page"})["entries"],
            100);
  EXPECT_EQ(Ctl({"context", "seal", "page"}).code, kOk);
  const Outcome sealed = Ctl({"context", "append", "page", "--synthetic=1"});
  EXPECT_EQ(sealed.code, kRefused);
  EXPECT_THAT(sealed.err, HasSubstr("CONTEXT_SEALED"));
  for (const char* id : {"book", "page"}) {
    EXPECT_EQ(Ctl({"context", "delete", id, "--yes"}).code, kOk);
  }
  EXPECT_EQ(CtlJson({"context", "list"}).size(), 0u);
  EXPECT_EQ(Ctl({"context", "describe", "book"}).code, kRefused);
}

TEST_F(WinnowctlTest, LeasesAndPins) {
  const json created = CtlJson(
      {"context", "create", "--profile=glm-5", "--id=book", "--ttl=2h", "--durability=memory"});
  EXPECT_EQ(created["durability"], "memory");
  EXPECT_EQ(created["pinned"], false);
  EXPECT_GT(created["expires_in_ms"], 3600 * 1000);
  EXPECT_EQ(Ctl({"context", "renew", "book", "--ttl=never"}).code, kOk);
  EXPECT_EQ(Ctl({"pin", "book"}).code, kOk);
  const json pinned = CtlJson({"context", "describe", "book"});
  EXPECT_EQ(pinned["expires_in_ms"], 0);
  EXPECT_EQ(pinned["pinned"], true);
  EXPECT_EQ(pinned["pinned_for_ms"], 0);
  EXPECT_EQ(Ctl({"pin", "book", "--for=2h"}).code, kOk);
  const json pinned_for = CtlJson({"context", "describe", "book"});
  EXPECT_EQ(pinned_for["pinned"], true);
  EXPECT_GT(pinned_for["pinned_for_ms"], 3600 * 1000);
  EXPECT_THAT(Ctl({"context", "describe", "book"}).out, HasSubstr("for 1h59m"));
  EXPECT_THAT(Ctl({"pin", "book", "--for=10ms"}).err, HasSubstr("'10ms'"));
  EXPECT_THAT(Ctl({"context", "describe", "book"}).out, HasSubstr("never"));
  EXPECT_EQ(Ctl({"unpin", "book"}).code, kOk);
  EXPECT_EQ(Ctl({"pin", "unheard-of"}).code, kRefused);
  EXPECT_EQ(Ctl({"context", "renew", "book"}).code, kUsage);
  EXPECT_THAT(Ctl({"context", "renew", "book", "--ttl=10ms"}).err, HasSubstr("'10ms'"));
  EXPECT_THAT(Ctl({"context", "create", "--profile=glm-5", "--durability=maybe"}).err,
              HasSubstr("'maybe'"));
  EXPECT_EQ(Ctl({"context", "append", "book", "--synthetic=10"}).code, kOk);
  EXPECT_THAT(Ctl({"spill", "book"}).err, HasSubstr("NO_DATA_DIR"));
}

TEST_F(WinnowctlTest, ASnapshotOfAllContextsOfAllTenantsAndBack) {
  const TempDir dir;
  const std::vector<std::pair<std::string, std::string>> names = {
      {"acme", "book"}, {"acme", "page"}, {"default", "book"}};
  for (size_t i = 0; i < names.size(); ++i) {
    const auto& [tenant, id] = names[i];
    const std::string of_tenant = "--tenant=" + tenant;
    CtlJson({"context", "create", "--profile=glm-5", "--id=" + id, of_tenant});
    EXPECT_EQ(Ctl({"context", "append", id, "--synthetic=" + std::to_string(10 * i + 10),
                   "--seed=" + std::to_string(i), of_tenant})
                  .code,
              kOk);
  }
  const std::string all = dir.File("all");
  const json saved = CtlJson({"snapshot", "save-all", all});
  ASSERT_EQ(saved.size(), 3u);
  EXPECT_EQ(saved[1]["context_id"], "page");
  EXPECT_GT(saved[1]["bytes"], 0);
  std::vector<json> before;
  for (const auto& [tenant, id] : names) {
    before.push_back(CtlJson({"attend", id, "--layer=3", "--tenant=" + tenant})["lse"]);
  }
  // What is there is neither replaced nor in the way of others; what did not change is there.
  CtlJson({"context", "create", "--profile=glm-5", "--id=new"});
  EXPECT_EQ(Ctl({"context", "append", "page", "--synthetic=5", "--tenant=acme"}).code, kOk);
  const Outcome again = Ctl({"snapshot", "save-all", all});
  EXPECT_EQ(again.code, kRefused);
  EXPECT_THAT(again.err, HasSubstr("SNAPSHOT_EXISTS"));
  EXPECT_THAT(again.err, Not(HasSubstr("book")));
  EXPECT_THAT(again.out, HasSubstr("new"));

  for (const auto& [tenant, id] : names) {
    EXPECT_EQ(Ctl({"context", "delete", id, "--yes", "--tenant=" + tenant}).code, kOk);
  }
  EXPECT_EQ(Ctl({"context", "delete", "new", "--yes"}).code, kOk);
  const Outcome nothing_to_save = Ctl({"snapshot", "save-all", dir.File("nothing")});
  EXPECT_EQ(nothing_to_save.code, kOk);
  EXPECT_THAT(nothing_to_save.err, HasSubstr("no contexts"));
  EXPECT_EQ(CtlJson({"snapshot", "load-all", all}).size(), 4u);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto& [tenant, id] = names[i];
    const json attended = CtlJson({"attend", id, "--layer=3", "--tenant=" + tenant});
    EXPECT_EQ(attended["entries_scanned"], 10 * i + 10);
    EXPECT_EQ(attended["lse"], before[i]);
  }
}

TEST_F(WinnowctlTest, ARestoreOfNothingIsAnError) {
  const TempDir dir;
  const std::string all = dir.File("all");
  CtlJson({"context", "create", "--profile=glm-5", "--id=book"});
  ASSERT_EQ(Ctl({"snapshot", "save-all", all}).code, kOk);
  EXPECT_THAT(Ctl({"snapshot", "load-all", dir.File("absent")}).err, HasSubstr("NO_SNAPSHOT"));
  for (const std::string& level : {dir.path(), all + "/default"}) {
    const Outcome nothing = Ctl({"snapshot", "load-all", level});
    EXPECT_EQ(nothing.code, kRefused) << level;
    EXPECT_THAT(nothing.err, HasSubstr(level + "/<tenant>/<context>"));
  }
}

TEST_F(WinnowctlTest, NodesAndShards) {
  const json nodes = CtlJson({"nodes"});
  ASSERT_EQ(nodes.size(), 3u);
  for (const json& node : nodes) EXPECT_EQ(node["reachable"], true) << node;
  const json shards = CtlJson({"shards"});
  ASSERT_EQ(shards.size(), 2u);
  EXPECT_EQ(shards[0]["slots"].get<int>() + shards[1]["slots"].get<int>(), 4096);
  EXPECT_THAT(Ctl({"nodes"}).out, HasSubstr("coordinator"));
  EXPECT_THAT(Ctl({"shards"}).out, HasSubstr("LAYER ENTRIES"));
}

TEST_F(WinnowctlTest, ExitCodesTellWhatWentWrong) {
  EXPECT_EQ(RunCtl({"--help"}).code, kOk);
  EXPECT_EQ(RunCtl({}).code, kUsage);
  EXPECT_EQ(RunCtl({"no-such-command"}).code, kUsage);
  EXPECT_EQ(RunCtl({"bench", "attend", "--shards=0"}).code, kUsage);
  EXPECT_EQ(RunCtl({"nodes", "--timeout=never"}).code, kUsage);
  EXPECT_EQ(RunCtl({"demo", "--text=/no/such/file"}).code, kUsage);
  EXPECT_EQ(Ctl({"context", "create", "--profile=unheard-of"}).code, kRefused);
  // A port that nobody listens on: one that was just given back.
  std::string gone;
  {
    const Service service = Service::Standalone(1);
    gone = service.address();
  }
  const Outcome outcome = RunCtl({"nodes", "--timeout=5s", "--address=" + gone});
  EXPECT_EQ(outcome.code, kUnreachable);
  EXPECT_FALSE(outcome.err.empty());
}

TEST(WinnowctlAloneTest, AnAppendThatFailsTellsHowFarItCame) {
  const Service service = Service::Standalone(1, {"--memory-budget=64MiB"});
  const std::string address = "--address=" + service.address();
  ASSERT_EQ(RunCtl({"context", "create", "--profile=glm-5", "--id=book", address}).code, kOk);
  const Outcome outcome = RunCtl({"context", "append", "book", "--synthetic=5000", address});
  EXPECT_EQ(outcome.code, kRefused);
  const std::string told = " of 5000 entries were appended; they end at ";
  const size_t at = outcome.err.find(told);
  ASSERT_NE(at, std::string::npos) << outcome.err;
  const int64_t end = std::stoll(outcome.err.substr(at + told.size()));
  EXPECT_GT(end, 0);
  const Outcome described = RunCtl({"context", "describe", "book", "-o", "json", address});
  EXPECT_GE(json::parse(described.out, nullptr, /*allow_exceptions=*/false)["entries"], end);
}

TEST(WinnowctlAloneTest, TiersAndSnapshotsOfADataDirectory) {
  const TempDir dir;
  const Service service = Service::Standalone(2, {"--data-dir=" + dir.File("data")});
  const auto run = [&](std::vector<std::string> args) {
    args.insert(args.end(), {"-o", "json", "--address=" + service.address()});
    const Outcome outcome = RunCtl(std::move(args));
    EXPECT_EQ(outcome.code, kOk) << outcome.err;
    return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  };
  const int64_t kv_bytes = 5000 * 61 * 656;
  run({"context", "create", "--profile=deepseek-v3.2", "--id=book"});
  run({"context", "append", "book", "--synthetic=5000"});
  const json spilled = run({"spill", "book"});
  EXPECT_GT(spilled["kv_bytes"], kv_bytes / 2);
  EXPECT_EQ(spilled["index_bytes"], 0);
  EXPECT_GT(run({"attend", "book", "--layer=3"})["cold_rows"], 0);
  const json shards = run({"shards"});
  EXPECT_GT(shards[0]["disk_bytes"].get<int64_t>() + shards[1]["disk_bytes"].get<int64_t>(),
            kv_bytes);
  EXPECT_EQ(shards[0]["corrupt_pages"], 0);
  EXPECT_EQ(shards[0]["device_bytes"], 0) << "there is no GPU";
  EXPECT_EQ(shards[0]["device_capacity_bytes"], 0);
  run({"restore", "book", "--plane=all"});
  EXPECT_EQ(run({"context", "describe", "book"})["resident_kv_bytes"], kv_bytes);
  EXPECT_GE(run({"snapshot", "save", "book", dir.File("copy")})["bytes"], kv_bytes);
  run({"context", "delete", "book", "--yes"});
  EXPECT_EQ(run({"snapshot", "load", dir.File("copy") + "/"})["context_id"], "copy");
  run({"snapshot", "load", dir.File("copy"), "--context=other"});
  EXPECT_EQ(run({"context", "describe", "other"})["entries"], 5000);
  const json verified = run({"verify"});
  ASSERT_EQ(verified.size(), 2u);
  EXPECT_EQ(verified[0]["context_id"], "copy");
  EXPECT_EQ(verified[0]["tenant"], "default");
  EXPECT_EQ(run({"verify", "copy"})[0]["tenant"], "default");
  EXPECT_EQ(verified[0]["corrupt"].size(), 0u);
  EXPECT_GE(verified[1]["kv_bytes"], kv_bytes);
  run({"context", "create", "--profile=deepseek-v3.2", "--id=theirs", "--tenant=another"});
  EXPECT_EQ(run({"verify"}).size(), 2u) << "those of the tenant";
  const json everywhere = run({"verify", "--all-tenants"});
  ASSERT_EQ(everywhere.size(), 3u);
  EXPECT_EQ(everywhere[0]["tenant"], "another");
  EXPECT_EQ(everywhere[0]["context_id"], "theirs");
  EXPECT_EQ(RunCtl({"verify", "copy", "--all-tenants"}).code, kUsage);
}

TEST(WinnowctlAloneTest, BenchPrintsStagesAndTheRatioToTheFloor) {
  const Outcome outcome =
      RunCtl({"bench", "attend", "--entries=20000", "--shards=4", "--queries=5", "-o", "json"});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  const json report = json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_EQ(report["queries"], 5);
  for (const char* figure : {"p50_us", "p99_us", "read_floor_us", "floor_ratio", "kernel_p50_us"}) {
    EXPECT_GT(report[figure].get<double>(), 0) << figure;
  }
  for (const char* stage : {"plan", "select", "merge", "fetch", "attend", "service_total"}) {
    EXPECT_TRUE(report["stages_us"].contains(stage)) << stage;
  }
}

TEST(WinnowctlAloneTest, ASmallDemoOverProcessesHolds) {
  const Outcome outcome = RunCtl({"demo", "--tokens=30000", "--passages=3", "--length=24",
                                  "--shards=4", "--seed=5", "-o", "json"});
  const json report = json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(report.is_object()) << outcome.err;
  std::vector<std::string> failures = report["failures"];
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // A sanitizer's own memory is several times what the demo bounds.
  std::erase_if(failures, [](const std::string& failure) {
    return failure.find("of memory") != std::string::npos;
  });
#else
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_EQ(report["ok"], true);
#endif
  EXPECT_THAT(failures, IsEmpty());
  EXPECT_EQ(report["processes"], 5);
  EXPECT_EQ(report["selections"], 3 * 24);
  EXPECT_EQ(report["selections_equal"], 3 * 24);
  EXPECT_EQ(report["reference_scans_equal"], 2);
  EXPECT_GT(report["bytes_moved"].get<uint64_t>(), 0u);
}

TEST(WinnowctlAloneTest, TheDemoShowsPassagesAndFailsWhereNothingIsUnique) {
  const TempDir dir;
  const std::string text = dir.Write("text", std::string(3000, 'a'));
  const Outcome outcome = RunCtl({"demo", "--text=" + text, "--tokens=2000", "--passages=1",
                                  "--length=8", "--shards=1", "--in-process"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.out, HasSubstr("aaaaaaaa"));
  EXPECT_THAT(outcome.err, HasSubstr("unique"));
}

}  // namespace
}  // namespace winnow::testing
