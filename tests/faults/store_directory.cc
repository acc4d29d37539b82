#include "tests/faults/store_directory.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/faults/unsynced_file_system.h"

namespace winnow::testing {

StoredFiles ReadFiles(const std::string& directory) {
  StoredFiles files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename()].assign(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

void WriteFiles(const std::string& directory, const StoredFiles& files) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const auto& [name, bytes] : files) {
    std::ofstream(directory + "/" + name, std::ios::binary) << bytes;
  }
}

std::string KindOfFile(const std::string& name) {
  const size_t dot = name.rfind('.');
  std::string kind =
      dot == std::string::npos ? name.substr(0, name.find('-')) : name.substr(dot + 1);
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  // What RocksDB writes for people and tools, and never reads.
  return name.rfind("LOG", 0) == 0 || name.rfind("OPTIONS", 0) == 0 ? "text" : kind;
}

std::unique_ptr<rocksdb::Env> HastyEnv() {
  return rocksdb::NewCompositeEnv(
      std::make_shared<UnsyncedFileSystem>(rocksdb::FileSystem::Default()));
}

EntryStoreOptions SmallStore(const std::string& directory, rocksdb::Env* env,
                             const std::string& boot_id) {
  return {.directory = directory,
          .segment_bytes = size_t{64} << 10,
          .row_cache_bytes = size_t{1} << 20,
          .block_cache_bytes = size_t{1} << 20,
          .reader_threads = 2,
          .boot_id = boot_id,
          .env = env};
}

}  // namespace winnow::testing
