#ifndef WINNOW_TESTS_CLIENT_PARSE_OPTIONS_H_
#define WINNOW_TESTS_CLIENT_PARSE_OPTIONS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/winnowd/options.h"

// winnowd's command line, as a test gives it.
namespace winnow {

using Environment = std::map<std::string, std::string>;

struct Outcome {
  Options options;
  std::optional<int> exit_code;
  std::string out;
  std::string err;
};

Outcome Parse(std::vector<std::string> args, const Environment& environment = {});

// Fails the test if it is refused.
Options Accepted(std::vector<std::string> args, const Environment& environment = {});

// The message of a refusal, without which the test fails.
std::string Refused(std::vector<std::string> args, const Environment& environment = {});

// "--max-message" as the environment names it.
std::string EnvironmentName(const std::string& flag);

}  // namespace winnow

#endif  // WINNOW_TESTS_CLIENT_PARSE_OPTIONS_H_
