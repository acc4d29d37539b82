#include "tests/cluster/run_ctl.h"

#include <utility>

namespace winnow::testing {

Outcome RunCtl(std::vector<std::string> args, const std::map<std::string, std::string>& env,
               const std::string& input) {
  Process process("winnowctl", std::move(args), env, input);
  const int code = process.Wait(absl::Minutes(4)).value_or(-1);
  return {code, process.Out(), process.Err()};
}

}  // namespace winnow::testing
