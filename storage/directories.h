#ifndef WINNOW_STORAGE_DIRECTORIES_H_
#define WINNOW_STORAGE_DIRECTORIES_H_

#include <filesystem>
#include <system_error>

namespace winnow {

// Makes a directory and those above it that are missing. Once it returns no error, a loss of power
// leaves them where they are: a file may be synced as often as one likes, and be gone with a
// directory that was not.
std::error_code MakeDirectories(const std::filesystem::path& path);

// Syncs the directory that holds the file, so that its name is on disk, too.
std::error_code SyncDirectoryOf(const std::filesystem::path& file);

}  // namespace winnow

#endif  // WINNOW_STORAGE_DIRECTORIES_H_
