#include "services/winnowd/options.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/cluster/placement.h"
#include "services/winnowd/config_file.h"
#include "services/winnowd/flag_values.h"
#include "storage/command_line.h"
#include "storage/version.h"

namespace winnow {
namespace {

constexpr int kUsageError = 2;
constexpr int kMaxThreads = 1024;
constexpr size_t kMinMessageBytes = size_t{64} << 10;
constexpr size_t kMaxRate = size_t{1} << 40;
// With what a coordinator adds, within protobuf's own limit: gRPC ends the process past it.
constexpr size_t kMaxMessageBytes = (size_t{2} << 30) - 1 - kShardMessageMarginBytes;

// An option whose value `parse` reads; a refusal says what would be right.
CLI::Option* Add(CLI::App& app, const std::string& flag, const std::string& env,
                 const std::string& help, const std::string& shown_default,
                 std::function<std::string(const std::string&)> parse) {
  CLI::Option* option = app.add_option_function<std::string>(
      flag,
      [&app, flag, parse = std::move(parse)](const std::string& text) {
        const std::string wanted = parse(text);
        if (!wanted.empty()) {
          throw CLI::ValidationError(
              absl::StrCat(flag, " is '", text, "'; it must be ", wanted, SourceOf(app, flag)));
        }
      },
      help);
  if (!shown_default.empty()) option->default_str(shown_default);
  return option->envname(env)->type_name("");
}

const std::map<std::string, Role>& RoleNames() {
  static const auto* names = new std::map<std::string, Role>{{"standalone", Role::kStandalone},
                                                             {"coordinator", Role::kCoordinator},
                                                             {"shard", Role::kShard}};
  return *names;
}

void AddServing(CLI::App& app, Options* o) {
  Add(app, "--role", "WINNOW_ROLE", "standalone, coordinator or shard", "standalone",
      [o](const std::string& text) { return ParseName(text, RoleNames(), &o->role); });
  Add(app, "--listen", "WINNOW_LISTEN", "HOST:PORT to serve on; port 0 takes a free one", o->listen,
      [o](const std::string& text) { return ParseAddress(text, &o->listen); });
  Add(app, "--port-file", "WINNOW_PORT_FILE", "write the port here once it is served", "",
      [o](const std::string& text) { return ParsePath(text, &o->port_file); })
      ->type_name("FILE");
  Add(app, "--shards", "WINNOW_SHARDS", "standalone: shards in this process", "4",
      [o](const std::string& text) {
        return ParseInteger<uint32_t>(text, 1, cluster::kSlots, &o->shards);
      });
  app.add_option(
         "--shard-address", o->shard_addresses,
         "coordinator: HOST:PORT of every shard, in shard order; repeat or separate by comma")
      ->envname("WINNOW_SHARD_ADDRESS")
      ->delimiter(',')
      ->type_name("");
}

void AddLimits(CLI::App& app, Options* o) {
  Add(app, "--threads", "WINNOW_THREADS",
      "threads that score and attend; 0 for as many as it has CPUs, or quota of CPU time", "0",
      [o](const std::string& text) {
        return ParseInteger<int>(text, 0, kMaxThreads, &o->threads);
      });
  Add(app, "--numa", "WINNOW_NUMA",
      "memory of which NUMA node, and threads on its CPUs: a node's number; auto to take memory of "
      "all in turn; or off",
      "auto",
      [o](const std::string& text) { return PlaceOnNuma(text, AllowedNumaNodes(), &o->numa); });
  Add(app, "--kernels", "WINNOW_KERNELS",
      "variant of the kernels: " + KernelNames() + "; the fastest if not given", "",
      [o](const std::string& text) { return ParseKernels(text, &o->kernels); });
  Add(app, "--device", "WINNOW_DEVICE",
      "shards score and attend on: cpu, cuda:N, or auto (the first GPU, or else the CPU)",
      o->device, [o](const std::string& text) { return ParseDevice(text, &o->device); });
  Add(app, "--device-memory", "WINNOW_DEVICE_MEMORY",
      "memory of the GPU for pages, beside 1/512 for lists of them; 0 for what queries leave of 90 "
      "% of what is free",
      "0", [o](const std::string& text) {
        return ParseSize(text, 0, size_t{1} << 50, &o->device_memory_bytes);
      });
  Add(app, "--memory-budget", "WINNOW_MEMORY_BUDGET",
      "memory of each shard for pages, write buffers and caches, at least 16MiB; 0 for no limit",
      "0", [o](const std::string& text) { return ParseBudget(text, &o->memory_budget_bytes); });
  Add(app, "--max-message", "WINNOW_MAX_MESSAGE", "largest message to accept", "64MiB",
      [o](const std::string& text) {
        return ParseSize(text, kMinMessageBytes, kMaxMessageBytes, &o->max_message_bytes);
      });
  Add(app, "--max-deadline", "WINNOW_MAX_DEADLINE",
      "longest a call may take, and the deadline of calls that bring none", "60s",
      [o](const std::string& text) {
        return ParseDuration(text, absl::Milliseconds(1), absl::Hours(24), &o->max_deadline);
      });
  Add(app, "--selection-ttl", "WINNOW_SELECTION_TTL", "how long an unused selection is kept", "60s",
      [o](const std::string& text) {
        return ParseDuration(text, absl::Milliseconds(1), absl::Hours(24), &o->selection_ttl);
      });
  Add(app, "--max-selections", "WINNOW_MAX_SELECTIONS", "selections kept by each shard", "4096",
      [o](const std::string& text) {
        return ParseInteger<size_t>(text, 1, 1 << 24, &o->max_selections);
      });
  Add(app, "--drain-timeout", "WINNOW_DRAIN_TIMEOUT",
      "time that running calls get to finish after SIGTERM", "10s", [o](const std::string& text) {
        return ParseDuration(text, absl::ZeroDuration(), absl::Hours(24), &o->drain_timeout);
      });
}

void AddStorage(CLI::App& app, Options* o) {
  Add(app, "--data-dir", "WINNOW_DATA_DIR",
      "keep contexts and metadata below this directory; in memory only if not given", "",
      [o](const std::string& text) { return ParsePath(text, &o->data_dir); })
      ->type_name("DIR");
  Add(app, "--durability", "WINNOW_DURABILITY",
      "of contexts that ask for none: memory, logged or synced; logged with --data-dir, or else "
      "memory",
      "", [o](const std::string& text) {
        return ParseName<Durability>(text,
                                     {{"memory", Durability::kMemory},
                                      {"logged", Durability::kLogged},
                                      {"synced", Durability::kSynced}},
                                     &o->durability);
      });
  Add(app, "--spill-rate", "WINNOW_SPILL_RATE",
      "bytes that each shard spills in a second at most; 0 for no limit", "0",
      [o](const std::string& text) {
        return ParseSize(text, 0, kMaxRate, &o->spill_bytes_per_second);
      });
  Add(app, "--scrub-rate", "WINNOW_SCRUB_RATE",
      "bytes that each shard verifies in a second in the background; 0 for none", "8MB",
      [o](const std::string& text) {
        return ParseSize(text, 0, kMaxRate, &o->scrub_bytes_per_second);
      });
}

void AddLogging(CLI::App& app, Options* o) {
  Add(app, "--log-level", "WINNOW_LOG_LEVEL", "trace, debug, info, warn or error", "info",
      [o](const std::string& text) {
        return ParseName<LogLevel>(text,
                                   {{"trace", LogLevel::kTrace},
                                    {"debug", LogLevel::kDebug},
                                    {"info", LogLevel::kInfo},
                                    {"warn", LogLevel::kWarn},
                                    {"error", LogLevel::kError}},
                                   &o->log_level);
      });
  Add(app, "--log-format", "WINNOW_LOG_FORMAT", "text or json, to stderr", "text",
      [o](const std::string& text) {
        return ParseName<LogFormat>(text, {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                                    &o->log_format);
      });
}

// A flag that the role has no use for would be thought to do something. What is wrong, or "".
std::string CheckRole(const Options& options, const CLI::App& app) {
  const auto first_given = [&app](std::initializer_list<const char*> flags) -> std::string {
    for (const char* flag : flags) {
      if (app.count(flag) > 0) return flag;
    }
    return "";
  };
  if (options.role == Role::kCoordinator && options.shard_addresses.empty()) {
    return "--role coordinator needs --shard-address for at least one shard";
  }
  if (options.role != Role::kCoordinator && !options.shard_addresses.empty()) {
    return "--shard-address is for --role coordinator only";
  }
  if (options.role != Role::kStandalone && !first_given({"--shards"}).empty()) {
    return "--shards is for --role standalone only" + SourceOf(app, "--shards");
  }
  const std::string of_shards =
      first_given({"--device", "--device-memory", "--memory-budget", "--max-selections",
                   "--selection-ttl", "--durability", "--spill-rate", "--scrub-rate"});
  if (options.role == Role::kCoordinator && !of_shards.empty()) {
    return of_shards + " is for shards, not for --role coordinator" + SourceOf(app, of_shards);
  }
  return "";
}

// What no option can tell alone. Returns what is wrong, or "".
std::string CheckTogether(const Options& options) {
  if (options.data_dir.empty() && options.durability > Durability::kMemory) {
    return absl::StrCat("--durability is ", std::string(DurabilityName(options.durability)),
                        ", which needs --data-dir");
  }
  if (options.shard_addresses.size() > cluster::kSlots) {
    return absl::StrCat("--shard-address is given ", options.shard_addresses.size(),
                        " times; there must be at most ", cluster::kSlots, " shards");
  }
  for (size_t i = 0; i < options.shard_addresses.size(); ++i) {
    const std::string& address = options.shard_addresses[i];
    if (PortOf(address).value_or(0) == 0) {
      return absl::StrCat("--shard-address is '", address,
                          "'; it must be HOST:PORT with a port in 1..65535");
    }
    for (size_t j = 0; j < i; ++j) {
      if (options.shard_addresses[j] == address) {
        return absl::StrCat("--shard-address names ", address, " twice");
      }
    }
  }
  return "";
}

}  // namespace

std::string RoleName(Role role) {
  for (const auto& [name, named] : RoleNames()) {
    if (named == role) return name;
  }
  return "";
}

ParsedOptions ParseOptions(int argc, char** argv) {
  ParsedOptions parsed;
  PlaceOnNuma("auto", AllowedNumaNodes(), &parsed.options.numa);
  CLI::App app(
      "Serves attention contexts: a coordinator with shards in one process (standalone), or one of "
      "these.",
      "winnowd");
  app.set_version_flag("--version", std::string("winnowd ") + kVersion);
  AddConfigFile(app, argc, argv);
  app.footer(
      "Every flag can be given as a line of the --config file or in the environment, as "
      "WINNOW_<FLAG>; a flag\nwins over the environment, and that over the file. Exit code: 0 "
      "after SIGTERM or SIGINT, 1 if it cannot\nserve, 2 for a bad flag.");
  AddServing(app, &parsed.options);
  AddLimits(app, &parsed.options);
  AddStorage(app, &parsed.options);
  AddLogging(app, &parsed.options);
  try {
    std::string problem = CheckFlagsHaveValues(argc, argv);
    if (!problem.empty()) throw CLI::ValidationError(problem);
    app.parse(argc, argv);
    problem = CheckRole(parsed.options, app);
    if (problem.empty()) problem = CheckTogether(parsed.options);
    if (!problem.empty()) throw CLI::ValidationError(problem);
  } catch (const CLI::FileError&) {
    app.exit(CLI::ValidationError(WhyUnreadable(app)));
    parsed.exit_code = kUsageError;
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : kUsageError;
  }
  if (parsed.options.durability == Durability::kDefault) {
    parsed.options.durability =
        parsed.options.data_dir.empty() ? Durability::kMemory : Durability::kLogged;
  }
  return parsed;
}

}  // namespace winnow
