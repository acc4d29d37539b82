#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/winnowctl/child_process.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/interrupts.h"
#include "client/winnowctl/number_option.h"
#include "client/winnowctl/own_server_options.h"
#include "client/winnowctl/progress.h"
#include "client/winnowctl/stats.h"
#include "client/winnowctl/synthetic.h"
#include "client/winnowctl/table.h"
#include "client/winnowctl/trial_context.h"
#include "kernels/read_floor.h"

namespace winnow::ctl {
namespace {

struct BenchFlags {
  uint64_t entries = 1 << 20;
  uint32_t shards = 4;
  uint32_t queries = 100;
  uint32_t warmup = 5;
  uint64_t seed = 1;
  std::string kernels;
  std::string device = "cpu";
  OwnServerOptions own_server;
};

// One layer of DeepSeek-V3.2.
Profile BenchProfile() {
  Profile profile = *PresetProfile("deepseek-v3.2");
  profile.name = "bench";
  profile.layers = {LayerKind::kOwn};
  return profile;
}

absl::StatusOr<CallLog> Measure(const client::Context& context, const BenchFlags& flags,
                                const Between& between) {
  const std::unique_ptr<client::DecodeSession> session = context.StartDecode();
  Synthetic synthetic(context.profile(), flags.seed);
  CallLog log;
  Progress progress("attending", flags.queries);
  for (uint32_t i = 0; i < flags.warmup + flags.queries; ++i) {
    if (absl::Status status = between(); !status.ok()) return status;
    client::DecodeStep step;
    step.attend = synthetic.Query(0, flags.entries, 1, i);
    const absl::Time start = absl::Now();
    absl::StatusOr<client::DecodeResult> result = session->Run(step);
    if (!result.ok()) return result.status();
    if (i < flags.warmup) continue;
    log.Add(absl::ToDoubleMicroseconds(absl::Now() - start), result->attend.stats);
    progress.Update(log.calls());
  }
  return log;
}

absl::StatusOr<CallLog> FillAndMeasure(const client::Context& context, const BenchFlags& flags,
                                       const Between& between) {
  uint64_t entries = 0;
  absl::Status filled = FillContext(context, &entries, flags.entries, flags.seed, between);
  if (!filled.ok()) return filled;
  return Measure(context, flags, between);
}

// Microseconds to read as many bytes as the index has, in this process and with all cores. Of a
// large index a part is read, which is far more than caches hold.
double ReadFloorUs(uint64_t index_bytes) {
  constexpr uint64_t kMaxBytes = uint64_t{1} << 30;
  std::vector<std::byte> bytes(std::min(index_bytes, kMaxBytes), std::byte{1});
  kernels::WorkerPool pool(static_cast<int>(std::thread::hardware_concurrency()));
  const double parts = static_cast<double>(index_bytes) / static_cast<double>(bytes.size());
  return kernels::MeasureReadSeconds(bytes, pool) * 1e6 * parts;
}

// The floor, and what is told against it; null where the memory of the service is not this
// machine's.
void AddFloor(std::optional<double> floor_us, uint64_t index_bytes, double p50_us,
              nlohmann::ordered_json* json) {
  for (const char* name : {"read_floor_us", "read_floor_gb_per_s", "floor_ratio"}) {
    (*json)[name] = nullptr;
  }
  if (!floor_us) return;
  (*json)["read_floor_us"] = *floor_us;
  (*json)["read_floor_gb_per_s"] = static_cast<double>(index_bytes) / *floor_us / 1e3;
  (*json)["floor_ratio"] = p50_us / *floor_us;
}

std::string FloorText(std::optional<double> floor_us, uint64_t index_bytes, double p50_us) {
  const double bytes = static_cast<double>(index_bytes);
  if (!floor_us) {
    return absl::StrFormat("reading the %.1f MB of keys alone takes -: it is another's memory\n",
                           bytes / 1e6);
  }
  return absl::StrFormat(
      "reading the %.1f MB of keys alone takes %.0f us (%.1f GB/s): ratio %.2f\n", bytes / 1e6,
      *floor_us, bytes / *floor_us / 1e3, p50_us / *floor_us);
}

void Report(const Globals& globals, const BenchFlags& flags, size_t shards, const CallLog& log,
            std::optional<double> floor_us) {
  const uint64_t index_bytes = flags.entries * BenchProfile().key_bytes();
  nlohmann::ordered_json json = {
      {"entries", flags.entries},
      {"shards", shards},
      {"queries", log.calls()},
      {"p50_us", log.p50_us()},
      {"p99_us", log.p99_us()},
      {"stages_us", log.Stages()},
      {"keys_per_second", static_cast<double>(flags.entries) / log.p50_us() * 1e6},
      {"index_bytes", index_bytes},
      {"bytes_moved_per_call", log.bytes_moved() / log.calls()},
      {"cold_index_bytes_per_call", log.cold_index_bytes() / log.calls()},
      {"cold_rows_per_call", log.cold_rows() / log.calls()},
      {"cached_rows_per_call", log.cached_rows() / log.calls()},
      {"kernel_p50_us", log.kernel_p50_us()},
      {"p50_over_kernel", log.p50_us() / log.kernel_p50_us()}};
  AddFloor(floor_us, index_bytes, log.p50_us(), &json);
  if (globals.json) {
    std::cout << json.dump(2) << "\n";
    return;
  }
  std::cout << absl::StrFormat("%d entries on %d shards: p50 %.0f us, p99 %.0f us, %.0f M keys/s\n",
                               flags.entries, shards, log.p50_us(), log.p99_us(),
                               static_cast<double>(flags.entries) / log.p50_us())
            << FloorText(floor_us, index_bytes, log.p50_us());
  if (log.cold_rows() + log.cold_index_bytes() > 0) {
    std::cout << absl::StrFormat(
        "%d rows cold in a call, %d of them cached; %s of index keys from disk\n",
        log.cold_rows() / log.calls(), log.cached_rows() / log.calls(),
        FormatBytes(log.cold_index_bytes() / log.calls()));
  }
  for (const auto& [stage, us] : json["stages_us"].items()) {
    std::cout << absl::StrFormat("  %-28s %9.0f us\n", stage, us.get<double>());
  }
}

int BenchAttend(const Globals& given, const BenchFlags& flags) {
  Interrupts interrupts;
  Globals globals = given;
  if (const int code = CheckOwnServerOptions(globals, flags.own_server); code != kOk) return code;
  std::unique_ptr<ChildServer> server;
  if (!globals.address_given) {
    std::vector<std::string> server_flags = {absl::StrCat("--shards=", flags.shards),
                                             "--device=" + flags.device};
    if (!flags.kernels.empty()) server_flags.push_back("--kernels=" + flags.kernels);
    absl::StatusOr<std::unique_ptr<ChildServer>> started = ChildServer::Start(server_flags);
    if (!started.ok()) return Fail(started.status());
    server = *std::move(started);
    globals.address = server->address();
  }
  client::Client client = globals.Connect();
  absl::StatusOr<std::vector<client::ShardInfo>> shards = client.ListShards();
  if (!shards.ok()) return Fail(shards.status());
  absl::StatusOr<TrialContext> trial = TrialContext::Create(client, BenchProfile());
  if (!trial.ok()) return Fail(trial.status());
  const Between between = [&] {
    const absl::Status status = interrupts.Check();
    return status.ok() ? trial->Keep() : status;
  };
  absl::StatusOr<CallLog> log = FillAndMeasure(trial->context(), flags, between);
  const absl::Status deleted = trial->context().Delete();
  if (!log.ok()) return Fail(log.status());
  std::optional<double> floor_us;
  if (server) floor_us = ReadFloorUs(flags.entries * BenchProfile().key_bytes());
  Report(globals, flags, shards->size(), *log, floor_us);
  return deleted.ok() ? kOk : Fail(deleted);
}

}  // namespace

void AddBenchCommand(CLI::App& app, const Globals& globals, Run* run) {
  CLI::App* bench = app.add_subcommand("bench", "Measure the service");
  bench->require_subcommand(1);
  CLI::App* attend = bench->add_subcommand(
      "attend",
      "Attend over synthetic entries; starts a winnowd of its own unless --address is given");
  auto flags = std::make_shared<BenchFlags>();
  AddNumber(attend, "--entries", 1, kMaxEntries, &flags->entries, "that the context has");
  flags->own_server.push_back(
      AddNumber(attend, "--shards", 1, 4096, &flags->shards, "of the winnowd that is started"));
  AddNumber(attend, "--queries", 1, 1'000'000, &flags->queries, "calls to measure");
  AddNumber(attend, "--warmup", 0, 1'000'000, &flags->warmup, "calls before that");
  AddSeed(attend, &flags->seed, "of the entries and queries");
  flags->own_server.push_back(AddKernels(attend, &flags->kernels));
  flags->own_server.push_back(AddDevice(attend, &flags->device));
  attend->callback([&globals, run, flags] {
    *run = [&globals, flags] { return BenchAttend(globals, *flags); };
  });
}

}  // namespace winnow::ctl
