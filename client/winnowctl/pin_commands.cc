#include <memory>
#include <string>

#include "client/winnowctl/commands.h"
#include "client/winnowctl/duration_option.h"

namespace winnow::ctl {
namespace {

struct PinFlags {
  std::string id;
  absl::Duration duration = absl::InfiniteDuration();
};

int Pin(const Globals& globals, const PinFlags& flags) {
  return WithContext(globals, flags.id, [&](const client::Context& context) {
    const absl::Status status = context.Pin(flags.duration);
    return status.ok() ? kOk : Fail(status);
  });
}

int Unpin(const Globals& globals, const PinFlags& flags) {
  return WithContext(globals, flags.id, [](const client::Context& context) {
    const absl::Status status = context.Unpin();
    return status.ok() ? kOk : Fail(status);
  });
}

}  // namespace

void AddPinCommands(CLI::App& app, const Globals& globals, Run* run) {
  auto flags = std::make_shared<PinFlags>();
  const auto add = [&](const char* name, const char* help, auto command) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("id", flags->id, "context")->required();
    sub->callback([&globals, run, flags, command] {
      *run = [&globals, flags, command] { return command(globals, *flags); };
    });
    return sub;
  };
  CLI::App* pin = add("pin", "Keep a context in memory", Pin);
  AddDuration(pin, "--for", "ever", &flags->duration,
              "how long from now, like 10m, unless unpinned")
      ->default_str("ever");
  add("unpin", "Let a context be spilled again", Unpin);
}

}  // namespace winnow::ctl
