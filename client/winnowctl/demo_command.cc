#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>
#include <random>

#include "absl/time/clock.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/demo/continuation.h"
#include "client/winnowctl/demo/corpus.h"
#include "client/winnowctl/demo/induction_profile.h"
#include "client/winnowctl/demo/report.h"
#include "client/winnowctl/demo/servers.h"
#include "client/winnowctl/interrupts.h"
#include "client/winnowctl/number_option.h"
#include "client/winnowctl/own_server_options.h"
#include "client/winnowctl/trial_context.h"

namespace winnow::ctl {
namespace {

// Scans with the reference kernel take seconds, so few are made.
constexpr uint32_t kReferenceScans = 2;

struct DemoFlags {
  std::vector<std::string> text;
  uint64_t tokens = 1 << 20;
  uint32_t shards = 4;
  uint32_t passages = 16;
  uint64_t length = 64;
  uint64_t seed = 1;
  bool in_process = false;
  std::string device = "cpu";
  OwnServerOptions own_server;
};

absl::StatusOr<Corpus> ReadText(const DemoFlags& flags) {
  std::vector<std::string> paths = flags.text;
  if (paths.empty()) {
    absl::StatusOr<std::string> headers = CompilerHeaders();
    if (!headers.ok()) return headers.status();
    paths.push_back(*headers);
  }
  return ReadCorpus(paths, flags.tokens + 1);
}

// Continues passages from places drawn at random, and prints each.
absl::Status ContinuePassages(const Globals& globals, const DemoFlags& flags,
                              Continuation* continuation) {
  std::mt19937_64 random(flags.seed);
  std::uniform_int_distribution<uint64_t> start(kPromptBytes, flags.tokens - flags.length);
  const bool colour = isatty(STDOUT_FILENO) == 1;
  for (uint32_t i = 0; i < flags.passages; ++i) {
    absl::StatusOr<Passage> passage =
        continuation->Continue(start(random), flags.length, i < kReferenceScans);
    if (!passage.ok()) return passage.status();
    if (!globals.json) std::cout << FormatPassage(*passage, colour) << std::flush;
  }
  return absl::OkStatus();
}

// Streams, continues and fills in what only the service can tell.
absl::Status RunOnContext(const Globals& globals, const DemoFlags& flags,
                          const client::Context& context, Continuation* continuation,
                          DemoReport* report) {
  const absl::Time start = absl::Now();
  if (absl::Status streamed = continuation->StreamText(); !streamed.ok()) return streamed;
  report->append_seconds = absl::ToDoubleSeconds(absl::Now() - start);
  absl::StatusOr<client::ContextInfo> info = context.Describe();
  if (!info.ok()) return info.status();
  report->index_bytes = info->index_bytes;
  report->kv_bytes = info->kv_bytes;
  return ContinuePassages(globals, flags, continuation);
}

int Finish(const Globals& globals, const DemoReport& report, const Findings& findings) {
  if (globals.json) {
    std::cout << ReportJson(report, findings).dump(2) << "\n";
  } else {
    std::cout << ReportText(report, findings);
  }
  const std::vector<std::string> failures = report.Failures(findings);
  for (const std::string& failure : failures) std::cerr << "winnowctl: " << failure << "\n";
  return failures.empty() ? kOk : kRefused;
}

int RunDemo(Globals globals, const DemoFlags& flags) {
  if (const int code = CheckOwnServerOptions(globals, flags.own_server); code != kOk) return code;
  if (flags.length + kPromptBytes > flags.tokens) {
    return FailUsage("--length is " + std::to_string(flags.length) + "; with a prompt of " +
                     std::to_string(kPromptBytes) + " it must fit into --tokens (" +
                     std::to_string(flags.tokens) + ")");
  }
  Interrupts interrupts;
  const absl::Time start = absl::Now();
  absl::StatusOr<Corpus> corpus = ReadText(flags);
  if (!corpus.ok()) return FailUsage(std::string(corpus.status().message()));
  std::optional<Servers> servers;
  if (!globals.address_given) {
    absl::StatusOr<Servers> started = flags.in_process
                                          ? Servers::StartStandalone(flags.shards, flags.device)
                                          : Servers::StartProcesses(flags.shards, flags.device);
    if (!started.ok()) return Fail(started.status());
    servers.emplace(*std::move(started));
    globals.address = servers->address();
  }
  client::Client client = globals.Connect();
  absl::StatusOr<std::vector<client::ShardInfo>> shards = client.ListShards();
  if (!shards.ok()) return Fail(shards.status());
  absl::StatusOr<TrialContext> trial = TrialContext::Create(client, InductionProfile());
  if (!trial.ok()) return Fail(trial.status());
  if (!globals.json) {
    std::cout << flags.tokens << " bytes of text from " << corpus->files << " files on "
              << shards->size() << " shards\n";
  }
  DemoReport report{.tokens = flags.tokens,
                    .text_files = corpus->files,
                    .shards = shards->size(),
                    .processes = servers ? servers->processes() : 0,
                    .passages = flags.passages};
  Continuation continuation(trial->context(), corpus->text, [&] {
    const absl::Status status = interrupts.Check();
    return status.ok() ? trial->Keep() : status;
  });
  absl::Status run = RunOnContext(globals, flags, trial->context(), &continuation, &report);
  if (servers) report.peak_resident_bytes = servers->peak_resident_bytes();
  run.Update(trial->context().Delete());
  if (!run.ok()) return Fail(run);
  report.total_seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return Finish(globals, report, continuation.findings());
}

}  // namespace

void AddDemoCommand(CLI::App& app, const Globals& globals, Run* run) {
  CLI::App* demo = app.add_subcommand(
      "demo",
      "Hold a text as a context, continue passages of it byte by byte, and check every selection; "
      "starts a service of its own unless --address is given");
  auto flags = std::make_shared<DemoFlags>();
  demo->add_option("--text", flags->text,
                   "files or directories; the compiler's C++ headers if not given")
      ->type_name("FILE");
  AddNumber(demo, "--tokens", 1024, 1 << 30, &flags->tokens,
            "bytes of the text to hold, an entry each");
  flags->own_server.push_back(
      AddNumber(demo, "--shards", 1, 64, &flags->shards, "of the service that is started"));
  AddNumber(demo, "--passages", 1, 1'000'000, &flags->passages, "to continue, at random places");
  AddNumber(demo, "--length", 1, 1 << 20, &flags->length, "bytes to continue each passage by");
  AddSeed(demo, &flags->seed, "of the places");
  flags->own_server.push_back(demo->add_flag(
      "--in-process", flags->in_process,
      "one process for the whole service, not one for each shard and the coordinator"));
  flags->own_server.push_back(AddDevice(demo, &flags->device));
  demo->callback(
      [&globals, run, flags] { *run = [&globals, flags] { return RunDemo(globals, *flags); }; });
}

}  // namespace winnow::ctl
