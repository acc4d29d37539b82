#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "storage/context_id.h"
#include "storage/error.h"
#include "storage/snapshot.h"
#include "storage/snapshot_manifest.h"

namespace winnow {
namespace {

namespace fs = std::filesystem;

absl::Status CannotLookInto(const fs::path& path, const std::error_code& error) {
  if (error == std::errc::no_such_file_or_directory) {
    return Error(absl::StatusCode::kNotFound, "NO_SNAPSHOT",
                 absl::StrCat("there is no directory ", path.string()));
  }
  return Error(absl::StatusCode::kUnavailable, "DISK_FAILED",
               absl::StrCat("cannot look into ", path.string(), ": ", error.message()),
               {{"path", path.string()}});
}

// Those that can be a tenant's or a context's.
absl::StatusOr<std::vector<fs::path>> PathsIn(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (fs::directory_iterator i(directory, error); !error && i != fs::end(i); i.increment(error)) {
    if (IsName(i->path().filename().native())) paths.push_back(i->path());
  }
  if (error) return CannotLookInto(directory, error);
  return paths;
}

// The same of a directory that is not a link to one, which may have been removed meanwhile.
absl::StatusOr<std::vector<fs::path>> PathsBelow(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::none) return CannotLookInto(path, error);
  if (type != fs::file_type::directory) return std::vector<fs::path>();
  absl::StatusOr<std::vector<fs::path>> paths = PathsIn(path);
  if (absl::IsNotFound(paths.status())) return std::vector<fs::path>();
  return paths;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListSnapshots(const std::string& directory,
                                                       const std::string& part, size_t limit) {
  const absl::StatusOr<std::vector<fs::path>> tenants = PathsIn(directory);
  if (!tenants.ok()) return tenants.status();
  std::vector<std::string> names;
  for (const fs::path& tenant : *tenants) {
    const absl::StatusOr<std::vector<fs::path>> contexts = PathsBelow(tenant);
    if (!contexts.ok()) return contexts.status();
    for (const fs::path& context : *contexts) {
      std::error_code error;
      const bool finished = fs::exists(ManifestPath(context / part), error);
      if (error) return CannotLookInto(context, error);
      if (!finished) continue;
      if (names.size() == limit) {
        return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_SNAPSHOTS",
                     absl::StrCat(directory, " holds more than ", limit, " snapshots"));
      }
      names.push_back(context.lexically_relative(directory));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace winnow
