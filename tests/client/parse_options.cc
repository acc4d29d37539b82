#include "tests/client/parse_options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <utility>

namespace winnow {

namespace {

// WINNOW_* variables while this lives: those given, and none of whoever runs the tests.
class ScopedEnvironment {
 public:
  explicit ScopedEnvironment(const Environment& given) : given_(given) {
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string text = *variable;
      const size_t equals = text.find('=');
      if (text.starts_with("WINNOW_")) before_[text.substr(0, equals)] = text.substr(equals + 1);
    }
    for (const auto& [name, value] : before_) unsetenv(name.c_str());
    for (const auto& [name, value] : given_) setenv(name.c_str(), value.c_str(), 1);
  }
  ~ScopedEnvironment() {
    for (const auto& [name, value] : given_) unsetenv(name.c_str());
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  const Environment& given_;
  Environment before_;
};

}  // namespace

Outcome Parse(std::vector<std::string> args, const Environment& environment) {
  args.insert(args.begin(), "winnowd");
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  const ScopedEnvironment scope(environment);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  ParsedOptions parsed = ParseOptions(static_cast<int>(argv.size()), argv.data());
  Outcome outcome = {.options = std::move(parsed.options), .exit_code = parsed.exit_code};
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

Options Accepted(std::vector<std::string> args, const Environment& environment) {
  Outcome outcome = Parse(std::move(args), environment);
  EXPECT_EQ(outcome.exit_code, std::nullopt) << outcome.err;
  return outcome.options;
}

std::string Refused(std::vector<std::string> args, const Environment& environment) {
  const Outcome outcome = Parse(args, environment);
  EXPECT_EQ(outcome.exit_code, 2) << ::testing::PrintToString(args);
  return outcome.err;
}

std::string EnvironmentName(const std::string& flag) {
  std::string name = "WINNOW_";
  for (const char c : flag.substr(2)) name += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

}  // namespace winnow
