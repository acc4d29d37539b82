#include <CLI/CLI.hpp>
#include <exception>

#include "client/winnowctl/commands.h"
#include "client/winnowctl/globals.h"
#include "client/winnowctl/help.h"
#include "storage/command_line.h"
#include "storage/version.h"

namespace winnow::ctl {
namespace {

void AddGlobals(CLI::App& app, Globals* globals) {
  app.add_option_function<std::string>(
         "--address",
         [globals](const std::string& address) {
           if (PortOf(address).value_or(0) == 0) {
             throw CLI::ValidationError("--address is '" + address +
                                        "'; it must be HOST:PORT with a port in 1..65535");
           }
           globals->address = address;
           globals->address_given = true;
         },
         "HOST:PORT of a coordinator")
      ->envname("WINNOW_ADDRESS")
      ->default_str(globals->address)
      ->type_name("");
  app.add_option("--tenant", globals->tenant, "owner of the contexts; 'default' if not given")
      ->envname("WINNOW_TENANT")
      ->type_name("");
  app.add_option_function<std::string>(
         "--timeout",
         [globals](const std::string& text) {
           if (!absl::ParseDuration(text, &globals->timeout) ||
               globals->timeout <= absl::ZeroDuration()) {
             throw CLI::ValidationError("--timeout is '" + text +
                                        "'; it must be a duration above zero, like 500ms or 30s");
           }
         },
         "of each call")
      ->default_str("30s")
      ->type_name("");
  app.add_option_function<std::string>(
         "-o,--output",
         [globals](const std::string& format) {
           if (format != "table" && format != "json") {
             throw CLI::ValidationError("--output is '" + format + "'; it must be table or json");
           }
           globals->json = format == "json";
         },
         "table or json")
      ->default_str("table")
      ->type_name("");
}

int Main(int argc, char** argv) {
  Globals globals;
  Run run;
  CLI::App app("Controls a Winnow service and tries it out.", "winnowctl");
  app.set_version_flag("--version", std::string("winnowctl ") + kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Exit code: 0 done, 1 the service refused or a check failed, 2 bad usage, 3 nobody answers "
      "at\nthe address, 128 + n ended by signal n.");
  AddGlobals(app, &globals);
  AddContextCommands(app, globals, &run);
  AddProfileCommands(app, globals, &run);
  AddAttendCommand(app, globals, &run);
  AddClusterCommands(app, globals, &run);
  AddPinCommands(app, globals, &run);
  AddTierCommands(app, globals, &run);
  AddSnapshotCommands(app, globals, &run);
  AddBenchCommand(app, globals, &run);
  AddDemoCommand(app, globals, &run);
  AddFooters(app);
  const std::string problem = CheckFlagsHaveValues(argc, argv);
  if (!problem.empty()) return FailUsage(problem);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    const std::string missing = MissingCommand(app);
    if (!missing.empty()) return FailUsage(missing);
    app.exit(error);
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  try {
    return run();
  } catch (const std::exception& error) {  // of the library or the system, such as no memory
    return Fail(absl::InternalError(error.what()));
  }
}

}  // namespace
}  // namespace winnow::ctl

int main(int argc, char** argv) {
  return winnow::FlushOutput("winnowctl", winnow::ctl::Main(argc, argv));
}
