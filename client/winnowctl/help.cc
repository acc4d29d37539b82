#include "client/winnowctl/help.h"

namespace winnow::ctl {

std::string MissingCommand(const CLI::App& app) {
  const CLI::App* asked = &app;
  std::string path = app.get_name();
  while (!asked->get_subcommands().empty()) {
    asked = asked->get_subcommands().front();
    path += " " + asked->get_name();
  }
  std::string names;
  for (const CLI::App* command : asked->get_subcommands([](const CLI::App*) { return true; })) {
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  if (names.empty()) return "";
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (word.starts_with('-')) continue;
    return "'" + word + "' is no command of " + path + "; it must be one of " + names;
  }
  return path + " needs a command: one of " + names;
}

void AddFooters(CLI::App& app) {
  for (CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    sub->footer("Takes the flags of every command, too: see winnowctl --help.");
    AddFooters(*sub);
  }
}

}  // namespace winnow::ctl
