#include "client/winnowctl/commands.h"
namespace winnow::ctl {
void AddDemoCommand(CLI::App&, const Globals&, Run*) {}
}  // namespace winnow::ctl
