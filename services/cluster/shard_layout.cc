#include "services/cluster/shard_layout.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "services/cluster/durable_file.h"
#include "storage/error.h"

namespace winnow::cluster {
namespace {

// The file, version 1: "winnow-layout 1 <shard> <shards>", and a line with the XXH3-64 of that
// line.
constexpr char kFormat[] = "winnow-layout";
constexpr uint32_t kVersion = 1;
constexpr size_t kMaxFileBytes = 256;

std::string PathIn(const std::string& directory) { return absl::StrCat(directory, "/LAYOUT"); }

std::string WithChecksum(const std::string& line) {
  return absl::StrFormat("%s\n%016x\n", line, XXH3_64bits(line.data(), line.size()));
}

absl::Status Corrupt(const std::string& path) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_STORE",
               absl::StrCat(path,
                            " is not what Winnow wrote; restore it from a backup, or remove it "
                            "and start with the shards that there were, in the same order"),
               {{"file", path}});
}

absl::StatusOr<std::optional<ShardLayout>> Decode(const std::string& path,
                                                  const std::string& bytes) {
  const std::string line = bytes.substr(0, bytes.find('\n'));
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  uint32_t version = 0;
  if (bytes != WithChecksum(line) || fields.size() < 2 || fields[0] != kFormat ||
      !absl::SimpleAtoi(fields[1], &version)) {
    return Corrupt(path);
  }
  if (version > kVersion) {
    return Error(absl::StatusCode::kFailedPrecondition, "UNKNOWN_VERSION",
                 absl::StrCat(path, " has version ", version, "; this program reads up to version ",
                              kVersion));
  }
  ShardLayout layout;
  if (fields.size() != 4 || !absl::SimpleAtoi(fields[2], &layout.shard) ||
      !absl::SimpleAtoi(fields[3], &layout.shards)) {
    return Corrupt(path);
  }
  return layout;
}

absl::Status MissingShard(const std::string& directory, uint32_t shard, uint32_t shards) {
  return Error(
      absl::StatusCode::kFailedPrecondition, "MISSING_SHARD",
      absl::StrCat("data directory ", directory, " of shard ", shard, " of ", shards,
                   " is missing or empty, though the service has been started before: mount it or "
                   "restore it; if what it held is lost, make a file ",
                   directory, "/LOST to go on without it"),
      {{"directory", directory}});
}

bool HoldsNothing(const std::string& directory) {
  std::error_code error;
  const bool empty = std::filesystem::is_empty(directory, error);
  return error == std::errc::no_such_file_or_directory || (!error && empty);
}

}  // namespace

absl::StatusOr<std::optional<ShardLayout>> ReadLayout(const std::string& directory) {
  const std::string path = PathIn(directory);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::nullopt;
  if (fd < 0) return IoError("open", path, errno);
  std::array<char, kMaxFileBytes> bytes;
  const ssize_t count = read(fd, bytes.data(), bytes.size());
  const int error = errno;
  close(fd);
  if (count < 0) return IoError("read", path, error);
  return Decode(path, std::string(bytes.data(), static_cast<size_t>(count)));
}

absl::Status CheckLayout(const std::string& directory, const ShardLayout& layout) {
  const absl::StatusOr<std::optional<ShardLayout>> kept = ReadLayout(directory);
  if (!kept.ok()) return kept.status();
  if (!kept->has_value() || **kept == layout) return absl::OkStatus();
  const auto& [shard, shards] = **kept;
  return Error(
      absl::StatusCode::kFailedPrecondition, "WRONG_SHARD",
      absl::StrCat("data directory ", directory, " is of shard ", shard, " of ", shards,
                   ", not of shard ", layout.shard, " of ", layout.shards,
                   ": entries would be looked for where they are not; give as many shards as "
                   "before, in the same order (--shards, --shard-address), or an empty directory"),
      {{"directory", directory}, {"shard", absl::StrCat(shard)}, {"shards", absl::StrCat(shards)}});
}

absl::Status CheckLayouts(const std::vector<std::string>& directories, bool started_before) {
  const auto count = static_cast<uint32_t>(directories.size());
  for (uint32_t i = 0; i < count; ++i) {
    absl::Status status = CheckLayout(directories[i], {.shard = i, .shards = count});
    if (!status.ok()) return status;
    if (started_before && HoldsNothing(directories[i])) {
      return MissingShard(directories[i], i, count);
    }
  }
  return absl::OkStatus();
}

absl::Status KeepLayout(const std::string& directory, const ShardLayout& layout) {
  const absl::StatusOr<std::optional<ShardLayout>> kept = ReadLayout(directory);
  if (!kept.ok() || kept->has_value()) return CheckLayout(directory, layout);
  return ReplaceFile(
      PathIn(directory),
      WithChecksum(absl::StrCat(kFormat, " ", kVersion, " ", layout.shard, " ", layout.shards)));
}

}  // namespace winnow::cluster
