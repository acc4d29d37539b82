#ifndef WINNOW_SERVICES_WINNOWD_OPTIONS_H_
#define WINNOW_SERVICES_WINNOWD_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/winnowd/log.h"
#include "services/winnowd/numa.h"
#include "storage/context_record.h"

namespace winnow {

enum class Role { kStandalone, kCoordinator, kShard };
std::string RoleName(Role role);

// A coordinator's request is larger than its client's message by what a shard has to be told, most
// of it the numbers of the stripes to score: 524,288 of them, of 3 bytes each at most. One that is
// past the shard's limit ends a stream that other calls share.
inline constexpr size_t kShardMessageMarginBytes = size_t{2} << 20;

// How a winnowd process runs; the defaults are what --help prints.
struct Options {
  Role role = Role::kStandalone;
  std::string listen = "127.0.0.1:7600";
  std::string port_file;
  uint32_t shards = 4;                           // standalone
  std::vector<std::string> shard_addresses;      // coordinator, by shard number
  int threads = 0;                               // 0: as CPUs and quota allow
  NumaPlacement numa;                            // of the process
  std::string kernels;                           // empty: the fastest
  std::string device = "cpu";                    // auto, cpu or cuda:N
  size_t device_memory_bytes = 0;                // for pages; 0: what queries leave
  size_t memory_budget_bytes = 0;                // per shard; 0: no limit
  std::string data_dir;                          // empty: memory only
  Durability durability = Durability::kDefault;  // settled by ParseOptions
  size_t spill_bytes_per_second = 0;             // per shard; 0: no limit
  size_t scrub_bytes_per_second = 8'000'000;     // per shard; 0: none
  size_t max_message_bytes = size_t{64} << 20;
  absl::Duration max_deadline = absl::Seconds(60);
  absl::Duration selection_ttl = absl::Seconds(60);
  size_t max_selections = 4096;
  absl::Duration drain_timeout = absl::Seconds(10);
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

struct ParsedOptions {
  Options options;
  // Set if the process should exit at once: 0 after --help or --version, 2 for a bad flag. What
  // there was to say has been printed.
  std::optional<int> exit_code;
};

// Flags, then WINNOW_* environment variables, then the --config file; the first that speaks wins.
ParsedOptions ParseOptions(int argc, char** argv);

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_OPTIONS_H_
