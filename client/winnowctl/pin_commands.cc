#include <memory>
#include <string>

#include "client/winnowctl/commands.h"

namespace winnow::ctl {
namespace {

int Pin(const Globals& globals, const std::string& id, bool pinned) {
  client::Client client = globals.Connect();
  absl::StatusOr<client::Context> context = client.OpenContext(id);
  if (!context.ok()) return Fail(context.status());
  const absl::Status status = context->Pin(pinned);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace

void AddPinCommands(CLI::App& app, const Globals& globals, Run* run) {
  auto id = std::make_shared<std::string>();
  const auto add = [&](const char* name, const char* help, bool pinned) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("id", *id, "context")->required();
    sub->callback([&globals, run, id, pinned] {
      *run = [&globals, id, pinned] { return Pin(globals, *id, pinned); };
    });
  };
  add("pin", "Keep a context in memory", true);
  add("unpin", "Let a context be spilled again", false);
}

}  // namespace winnow::ctl
