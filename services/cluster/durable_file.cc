#include "services/cluster/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "storage/directories.h"
#include "storage/error.h"

namespace winnow::cluster {
namespace {

absl::Status WriteAndSync(const std::string& path, std::string_view bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return IoError("create", path, errno);
  const absl::Cleanup close_file = [file] { close(file); };
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return IoError("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(file) == 0 ? absl::OkStatus() : IoError("sync", path, errno);
}

}  // namespace

absl::Status IoError(std::string_view action, const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  const bool denied = error == EACCES || error == EPERM;
  return Error(full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable,
               full ? "DISK_FULL" : "DISK_FAILED",
               absl::StrCat("cannot ", std::string(action), " ", path, ": ", strerror(error),
                            denied ? "; check who owns it, and its mode" : ""),
               {{"path", path}});
}

absl::Status ReplaceFile(const std::string& path, std::string_view bytes) {
  const std::string unfinished = path + ".tmp";
  if (absl::Status status = WriteAndSync(unfinished, bytes); !status.ok()) return status;
  if (rename(unfinished.c_str(), path.c_str()) != 0) return IoError("replace", path, errno);
  // Without this a loss of power may undo the rename.
  const std::error_code error = SyncDirectoryOf(path);
  return error ? IoError("sync the directory of", path, error.value()) : absl::OkStatus();
}

}  // namespace winnow::cluster
