// winnowctl over many contexts: one that fails hides nothing of the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "storage/error.h"
#include "tests/cluster/run_ctl.h"
#include "tests/cluster/scripted_service.h"

namespace winnow::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ManyContextsTest, AVerificationGoesOnAfterAContextThatFails) {
  const ScriptedService service(
      {{"a", {.corrupt = {"page 1 of a"}}},
       {"b", {.open = absl::InternalError("no luck with b")}},
       {"c", {.corrupt = {"page 1 of c"}, .after = absl::InternalError("no luck after c")}},
       {"d", {.corrupt = {"page 1 of d"}}}});
  const std::string address = "--address=" + service.address();
  const Outcome table = RunCtl({"verify", "--all-tenants", address});
  EXPECT_EQ(table.code, kRefused);
  for (const char* told :
       {"default/a: page 1 of a", "default/b: failed: no luck with b", "default/c: page 1 of c",
        "default/c: failed: no luck after c", "default/d: page 1 of d"}) {
    EXPECT_THAT(table.out, HasSubstr(told));
  }
  EXPECT_THAT(table.err, AllOf(HasSubstr("no luck with b"), HasSubstr("no luck after c")));
  const Outcome outcome = RunCtl({"verify", "--all-tenants", address, "-o", "json"});
  EXPECT_EQ(outcome.code, kRefused);
  const json rows = json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  ASSERT_EQ(rows.size(), 4u) << outcome.out;
  EXPECT_FALSE(rows[0].contains("error"));
  EXPECT_EQ(rows[1]["error"], "no luck with b");
  EXPECT_EQ(rows[2]["corrupt"][0], "page 1 of c");
  EXPECT_EQ(rows[2]["error"], "no luck after c");
}

TEST(ManyContextsTest, AVerificationStopsWhereNobodyAnswers) {
  const ScriptedService service({{"a", {.corrupt = {"page 1 of a"}}},
                                 {"b", {.after = absl::UnavailableError("nobody there")}},
                                 {"c", {.corrupt = {"page 1 of c"}}}});
  const Outcome outcome =
      RunCtl({"verify", "--all-tenants", "--timeout=300ms", "--address=" + service.address()});
  EXPECT_EQ(outcome.code, kUnreachable);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("page 1 of a"), HasSubstr("default/b: failed"),
                                 Not(HasSubstr("page 1 of c"))));
}

TEST(ManyContextsTest, OnlyADeletedContextIsPassedOver) {
  const auto not_found = [](const char* reason, const char* message) {
    return Error(absl::StatusCode::kNotFound, reason, message);
  };
  const ScriptedService service({{"a", {.open = not_found("UNKNOWN_CONTEXT", "a is gone")}},
                                 {"b", {.after = not_found("UNKNOWN_CONTEXT", "b is gone")}},
                                 {"c", {.open = not_found("UNKNOWN_PROFILE", "c has no shape")}},
                                 {"d", {.after = not_found("NO_FILE", "d has no file")}}});
  for (std::vector<std::string> command : std::vector<std::vector<std::string>>{
           {"verify", "--all-tenants"}, {"snapshot", "save-all", "/backup"}}) {
    command.insert(command.end(), {"-o", "json", "--address=" + service.address()});
    const Outcome outcome = RunCtl(command);
    EXPECT_EQ(outcome.code, kRefused) << command[0];
    const json rows = json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
    ASSERT_EQ(rows.size(), 2u) << outcome.out;
    EXPECT_EQ(rows[0]["error"], "c has no shape");
    EXPECT_EQ(rows[1]["error"], "d has no file");
  }
}

}  // namespace
}  // namespace winnow::testing
