#ifndef WINNOW_TESTS_CLUSTER_RUN_CTL_H_
#define WINNOW_TESTS_CLUSTER_RUN_CTL_H_

#include <map>
#include <string>
#include <vector>

#include "tests/cluster/process.h"

namespace winnow::testing {

// winnowctl's exit codes.
inline constexpr int kOk = 0;
inline constexpr int kRefused = 1;
inline constexpr int kUsage = 2;
inline constexpr int kUnreachable = 3;

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

// Runs winnowctl to its end.
Outcome RunCtl(std::vector<std::string> args, const std::map<std::string, std::string>& env = {},
               const std::string& input = "");

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_CLUSTER_RUN_CTL_H_
