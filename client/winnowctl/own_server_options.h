#ifndef WINNOW_CLIENT_WINNOWCTL_OWN_SERVER_OPTIONS_H_
#define WINNOW_CLIENT_WINNOWCTL_OWN_SERVER_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "client/winnowctl/globals.h"

namespace winnow::ctl {

// Options that say how to start a service of the command's own.
using OwnServerOptions = std::vector<const CLI::Option*>;

// What the shards of the service that is started score and attend on.
CLI::Option* AddDevice(CLI::App* command, std::string* device);

// The variant of their kernels.
CLI::Option* AddKernels(CLI::App* command, std::string* kernels);

// kOk, or bad usage if one of them was given beside the address of a service that runs.
int CheckOwnServerOptions(const Globals& globals, const OwnServerOptions& options);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_OWN_SERVER_OPTIONS_H_
