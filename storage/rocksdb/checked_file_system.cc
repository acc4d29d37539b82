#include "storage/rocksdb/checked_file_system.h"

#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/rocksdb/log_chain.h"

namespace winnow {
namespace {

// Of RocksDB's block-based tables, format version 5, with XXH3 checksums.
constexpr size_t kFooterBytes = 53;
constexpr size_t kFooterEndBytes = 12;  // u32 version, magic number
constexpr std::string_view kVersion("\5\0\0\0", 4);
constexpr char kChecksumXxh3 = 4;
constexpr size_t kTrailerBytes = 5;  // type of compression, checksum
constexpr uint32_t kTypeFactor = 0x6b9083d9;
constexpr uint64_t kMaxBlockBytes = uint64_t{1} << 20;
constexpr std::string_view kProperties = "rocksdb.properties";

struct BlockPlace {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

bool TakeVarint(std::string_view* from, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !from->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(from->front());
    from->remove_prefix(1);
    *value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool TakePlace(std::string_view* from, BlockPlace* place) {
  return TakeVarint(from, &place->offset) && TakeVarint(from, &place->bytes) &&
         place->bytes <= kMaxBlockBytes;
}

// The place of the list of blocks. Two places follow the type of checksum, then zeros up to the
// version. RocksDB checks the magic number, and takes older versions for this one.
bool TakeFooter(std::string_view footer, BlockPlace* list) {
  if (footer.front() != kChecksumXxh3) return false;
  footer.remove_prefix(1);
  BlockPlace index;
  if (!TakePlace(&footer, list) || !TakePlace(&footer, &index)) return false;
  if (footer.size() < kFooterEndBytes) return false;
  const size_t zeros = footer.size() - kFooterEndBytes;
  return footer.substr(zeros, kVersion.size()) == kVersion &&
         footer.find_first_not_of('\0') >= zeros;
}

// The block without its trailer, or nothing if that does not match.
std::string_view Verified(std::string_view block) {
  const std::string_view data = block.substr(0, block.size() - kTrailerBytes);
  uint32_t stored = 0;
  std::memcpy(&stored, block.data() + data.size() + 1, sizeof stored);
  const auto type = static_cast<uint8_t>(block[data.size()]);
  const auto hash = static_cast<uint32_t>(XXH3_64bits(data.data(), data.size()));
  return (hash ^ type * kTypeFactor) == stored ? data : std::string_view();
}

// The value of a key in a block of entries: shared, unshared and value lengths, then bytes. Keys of
// the block that lists the others share nothing.
bool FindPlace(std::string_view block, std::string_view key, BlockPlace* place) {
  while (!block.empty()) {
    uint64_t shared = 0;
    uint64_t own = 0;
    uint64_t value = 0;
    if (!TakeVarint(&block, &shared) || !TakeVarint(&block, &own) || !TakeVarint(&block, &value) ||
        shared != 0 || own > block.size() || value > block.size() - own) {
      return false;
    }
    if (block.substr(0, own) == key) {
      std::string_view found = block.substr(own, value);
      return TakePlace(&found, place);
    }
    block.remove_prefix(own + value);
  }
  return false;
}

// Reads from a table with buffering, so that nothing need be aligned.
class TableReader {
 public:
  explicit TableReader(rocksdb::FSRandomAccessFile* file) : file_(*file) {}

  rocksdb::IOStatus Read(uint64_t offset, size_t bytes, std::string* out) {
    out->resize(bytes);
    rocksdb::Slice read;
    rocksdb::IOStatus status =
        file_.Read(offset, bytes, rocksdb::IOOptions(), &read, out->data(), nullptr);
    if (!status.ok()) return status;
    if (read.size() != bytes) return rocksdb::IOStatus::Corruption("a table file is too short");
    if (read.data() != out->data()) std::memmove(out->data(), read.data(), bytes);
    return status;
  }

 private:
  rocksdb::FSRandomAccessFile& file_;
};

}  // namespace

rocksdb::IOStatus CheckedFileSystem::CheckTable(const std::string& name) const {
  const auto damaged = [&name](const char* what) {
    return rocksdb::IOStatus::Corruption(absl::StrCat(name, ": the ", what, " is damaged"));
  };
  uint64_t size = 0;
  rocksdb::IOStatus status = target()->GetFileSize(name, rocksdb::IOOptions(), &size, nullptr);
  if (!status.ok()) return status;
  if (size < kFooterBytes) return damaged("footer");
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  status = target()->NewRandomAccessFile(name, rocksdb::FileOptions(), &file, nullptr);
  if (!status.ok()) return status;
  TableReader reader(file.get());
  std::string bytes;
  status = reader.Read(size - kFooterBytes, kFooterBytes, &bytes);
  if (!status.ok()) return status;
  BlockPlace place;
  if (!TakeFooter(bytes, &place)) return damaged("footer");
  for (const bool is_list : {true, false}) {
    if (place.offset + place.bytes + kTrailerBytes > size) return damaged("list of blocks");
    status = reader.Read(place.offset, place.bytes + kTrailerBytes, &bytes);
    if (!status.ok()) return status;
    const std::string_view block = Verified(bytes);
    if (block.empty()) return damaged(is_list ? "list of blocks" : "block of properties");
    if (is_list && !FindPlace(block, kProperties, &place)) return damaged("list of blocks");
  }
  return status;
}

rocksdb::IOStatus CheckedFileSystem::NewRandomAccessFile(
    const std::string& name, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSRandomAccessFile>* file, rocksdb::IODebugContext* debug) {
  if (absl::EndsWith(name, ".sst")) {
    if (rocksdb::IOStatus status = CheckTable(name); !status.ok()) return status;
  }
  return target()->NewRandomAccessFile(name, options, file, debug);
}

rocksdb::IOStatus CheckedFileSystem::DeleteFile(const std::string& name,
                                                const rocksdb::IOOptions& options,
                                                rocksdb::IODebugContext* debug) {
  if (const std::optional<uint64_t> log = LogNumber(name); log.has_value()) {
    const absl::Status freed = free_log_(*log);
    if (!freed.ok()) return rocksdb::IOStatus::IOError(std::string(freed.message()));
  }
  return target()->DeleteFile(name, options, debug);
}

}  // namespace winnow
