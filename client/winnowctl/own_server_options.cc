#include "client/winnowctl/own_server_options.h"

#include "absl/strings/numbers.h"
#include "kernels/backend.h"
#include "storage/command_line.h"

namespace winnow::ctl {
namespace {

bool IsDevice(const std::string& text) {
  if (text == "cpu" || text == "auto") return true;
  int number = 0;
  return text.starts_with("cuda:") && absl::SimpleAtoi(text.substr(5), &number) && number >= 0;
}

}  // namespace

CLI::Option* AddDevice(CLI::App* command, std::string* device) {
  const auto parse = [device](const std::string& text) {
    if (!IsDevice(text)) {
      throw CLI::ValidationError("--device is '" + text + "'; it must be cpu, cuda:N or auto");
    }
    *device = text;
  };
  return command
      ->add_option_function<std::string>("--device", parse,
                                         "of the shards that are started: cpu, cuda:N or auto")
      ->default_str(*device)
      ->type_name("");
}

CLI::Option* AddKernels(CLI::App* command, std::string* kernels) {
  const auto parse = [kernels](const std::string& text) {
    if (kernels::ChooseBackend(text) == nullptr) {
      throw CLI::ValidationError("--kernels is '" + text + "'; it must be one of " + KernelNames());
    }
    *kernels = text;
  };
  return command
      ->add_option_function<std::string>(
          "--kernels", parse,
          "of the winnowd that is started: " + KernelNames() + "; the fastest if not given")
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
