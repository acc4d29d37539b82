#include "storage/directories.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace winnow {

std::error_code SyncDirectoryOf(const std::filesystem::path& file) {
  const int fd = open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return {errno, std::system_category()};
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return {error, std::system_category()};
}

std::error_code MakeDirectories(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(path, error);
  std::vector<std::filesystem::path> missing;
  for (std::filesystem::path at = whole; !error && !std::filesystem::exists(at, error);) {
    missing.push_back(at);
    at = at.parent_path();
  }
  for (auto at = missing.rbegin(); at != missing.rend() && !error; ++at) {
    // It is no error if another one made it meanwhile.
    std::filesystem::create_directory(*at, error);
    if (!error) error = SyncDirectoryOf(*at);
  }
  if (error || std::filesystem::is_directory(whole, error)) return error;
  return std::make_error_code(std::errc::not_a_directory);
}

}  // namespace winnow
