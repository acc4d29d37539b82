#include "client/winnowctl/own_server_options.h"

namespace winnow::ctl {

CLI::Option* AddDevice(CLI::App* command, std::string* device) {
  return command
      ->add_option("--device", *device, "of the shards that are started: cpu, cuda:N or auto")
      ->capture_default_str()
      ->type_name("");
}

int CheckOwnServerOptions(const Globals& globals, const OwnServerOptions& options) {
  if (!globals.address_given) return kOk;
  for (const CLI::Option* option : options) {
    if (option->count() == 0) continue;
    return FailUsage(option->get_name() +
                     " is for a service that is started, and --address or WINNOW_ADDRESS names "
                     "one that runs; leave one of them out");
  }
  return kOk;
}

}  // namespace winnow::ctl
