#include "services/cluster/metadata_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/cluster/durable_file.h"
#include "storage/directories.h"
#include "storage/error.h"

namespace winnow::cluster {
namespace {

// The file, all numbers little-endian:
//   8 bytes   "WINNOWMD"
//   uint32    version, 1
//   int64     the store's revision
//   uint64    entries, then of each, by key:
//     int64   its revision
//     uint32  the key's length, uint32 the value's length, the key, the value
//   uint64    XXH3-64 of everything before it; every version ends so
constexpr std::string_view kMagic = "WINNOWMD";
constexpr uint32_t kVersion = 1;

static_assert(std::endian::native == std::endian::little, "numbers are stored little-endian");

template <typename T>
void Put(T value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Takes from the front; once something is not there, nothing is.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::string_view Take(size_t size) {
    if (size > bytes_.size()) ok_ = false;
    if (!ok_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  template <typename T>
  T Number() {
    T value = 0;
    const std::string_view taken = Take(sizeof value);
    if (ok_) std::memcpy(&value, taken.data(), sizeof value);
    return value;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

absl::Status Corrupt(std::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_METADATA",
               absl::StrCat("the metadata is damaged: ", std::string(what),
                            "; restore the file, or move it away to begin with none"));
}

// Says which file it is about.
absl::Status InFile(const std::string& path, const absl::Status& status) {
  return Error(status.code(), ErrorReason(status), absl::StrCat(path, ": ", status.message()),
               {{"path", path}});
}

absl::StatusOr<int> Lock(const std::string& path) {
  const int lock = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) return IoError("open", path, errno);
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) return lock;
  const int error = errno;
  close(lock);
  if (error != EWOULDBLOCK) return IoError("lock", path, error);
  return Error(absl::StatusCode::kFailedPrecondition, "DATA_DIR_IN_USE",
               absl::StrCat(path, " is locked: another process keeps its metadata there"),
               {{"path", path}});
}

}  // namespace

std::string EncodeMetadata(const MetadataContents& contents) {
  std::string bytes(kMagic);
  Put(kVersion, &bytes);
  Put(contents.revision, &bytes);
  Put(static_cast<uint64_t>(contents.entries.size()), &bytes);
  for (const auto& [key, entry] : contents.entries) {
    Put(entry.revision, &bytes);
    Put(static_cast<uint32_t>(key.size()), &bytes);
    Put(static_cast<uint32_t>(entry.value.size()), &bytes);
    absl::StrAppend(&bytes, key, entry.value);
  }
  Put(static_cast<uint64_t>(XXH3_64bits(bytes.data(), bytes.size())), &bytes);
  return bytes;
}

absl::StatusOr<MetadataContents> DecodeMetadata(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + sizeof kVersion + sizeof(uint64_t)) {
    return Corrupt(absl::StrCat(bytes.size(), " bytes are too few"));
  }
  const std::string_view body = bytes.substr(0, bytes.size() - sizeof(uint64_t));
  const auto checksum = Reader(bytes.substr(body.size())).Number<uint64_t>();
  if (checksum != XXH3_64bits(body.data(), body.size())) return Corrupt("its checksum is wrong");
  Reader reader(body);
  if (reader.Take(kMagic.size()) != kMagic) return Corrupt("it is another kind of file");
  if (const auto version = reader.Number<uint32_t>(); version != kVersion) {
    return Error(absl::StatusCode::kFailedPrecondition, "UNKNOWN_VERSION",
                 absl::StrCat("the metadata has version ", version, "; this program knows ",
                              kVersion, " and no later one"));
  }
  MetadataContents contents{.revision = reader.Number<int64_t>()};
  const auto count = reader.Number<uint64_t>();
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    MetadataEntry entry{.revision = reader.Number<int64_t>()};
    const auto key_bytes = reader.Number<uint32_t>();
    const auto value_bytes = reader.Number<uint32_t>();
    entry.key = std::string(reader.Take(key_bytes));
    entry.value = std::string(reader.Take(value_bytes));
    std::string key = entry.key;
    contents.entries.insert_or_assign(std::move(key), std::move(entry));
  }
  if (!reader.at_end()) return Corrupt("its entries do not end where it does");
  return contents;
}

absl::StatusOr<std::unique_ptr<MetadataFile>> MetadataFile::Open(const std::string& path) {
  const std::string absolute = std::filesystem::absolute(path).string();
  const std::filesystem::path folder = std::filesystem::path(absolute).parent_path();
  std::error_code error = MakeDirectories(folder);
  if (error) return IoError("create", folder.string(), error.value());
  absl::StatusOr<int> lock = Lock(absolute + ".lock");
  if (!lock.ok()) return lock.status();
  auto file = std::unique_ptr<MetadataFile>(new MetadataFile(absolute, *lock));
  if (std::filesystem::exists(absolute, error)) return file;
  if (error) return IoError("find", absolute, error.value());
  if (absl::Status status = file->Save({}); !status.ok()) return status;
  return file;
}

MetadataFile::~MetadataFile() { close(lock_); }

absl::StatusOr<MetadataContents> MetadataFile::Load() const {
  std::ifstream file(path_, std::ios::binary);
  if (!file) return IoError("open", path_, errno);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return IoError("read", path_, errno);
  absl::StatusOr<MetadataContents> contents = DecodeMetadata(bytes);
  return contents.ok() ? std::move(contents) : InFile(path_, contents.status());
}

absl::Status MetadataFile::Save(const MetadataContents& contents) const {
  return ReplaceFile(path_, EncodeMetadata(contents));
}

}  // namespace winnow::cluster
