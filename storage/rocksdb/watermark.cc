#include "storage/rocksdb/watermark.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/error.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

constexpr uint32_t kVersion = 1;
constexpr char kMagic[8] = {'W', 'N', 'A', 'C', 'K', 'E', 'D', '\n'};

// The whole file, numbers little-endian. The mark is not in the checksum, it has its own.
struct File {
  char magic[8];
  uint32_t version;
  char boot_id[60];   // padded with zeros
  uint64_t checksum;  // XXH3 of all of the above
  uint64_t mark;      // sequence << 16 | its check
};
static_assert(sizeof(File) == 88 && offsetof(File, mark) % 8 == 0);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// With odd factors every change of one 16-bit word changes it.
uint16_t SequenceCheck(uint64_t sequence) {
  return static_cast<uint16_t>(0x5A17 + (sequence & 0xFFFF) * 0x9E37 +
                               (sequence >> 16 & 0xFFFF) * 0x85EB +
                               (sequence >> 32 & 0xFFFF) * 0xC2B3);
}
uint64_t Encode(uint64_t sequence) { return sequence << 16 | SequenceCheck(sequence); }

absl::Status Failed(const std::string& path, const char* what) {
  return FromErrno(errno, absl::StrCat("cannot ", what, " ", path));
}

absl::StatusOr<Mark> Decode(const char* name, const File& file, ssize_t bytes) {
  if (bytes != sizeof file || std::memcmp(file.magic, kMagic, sizeof kMagic) != 0) {
    return CorruptStore(name, absl::StrCat(name, " is not what Winnow wrote"));
  }
  if (file.checksum != XXH3_64bits(&file, offsetof(File, checksum))) {
    return CorruptStore(name, absl::StrCat("the checksum of ", name, " does not match"));
  }
  if (file.version > kVersion) {
    return Error(absl::StatusCode::kFailedPrecondition, "UNKNOWN_VERSION",
                 absl::StrCat("the data directory has version ", file.version,
                              "; this program reads up to version ", kVersion));
  }
  const uint64_t sequence = file.mark >> 16;
  if (Encode(sequence) != file.mark) {
    return CorruptStore(name, absl::StrCat("the mark in ", name, " is damaged"));
  }
  return Mark{std::string(file.boot_id, strnlen(file.boot_id, sizeof file.boot_id)), sequence};
}

}  // namespace

absl::StatusOr<std::optional<Mark>> Watermark::Read(const std::string& directory,
                                                    const char* name) {
  const std::string path = absl::StrCat(directory, "/", name);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::nullopt;
  if (fd < 0) return Failed(path, "open");
  char bytes[sizeof(File) + 1];  // one more, to see that there is no more
  const ssize_t count = read(fd, bytes, sizeof bytes);
  close(fd);
  if (count < 0) return Failed(path, "read");
  File file;
  std::memcpy(&file, bytes, sizeof file);
  absl::StatusOr<Mark> decoded = Decode(name, file, count);
  if (!decoded.ok()) return decoded.status();
  return *std::move(decoded);
}

absl::StatusOr<std::unique_ptr<Watermark>> Watermark::Create(const std::string& directory,
                                                             const char* name, const Mark& start) {
  File file = {};
  std::memcpy(file.magic, kMagic, sizeof kMagic);
  file.version = kVersion;
  std::memcpy(file.boot_id, start.boot_id.data(),
              std::min(start.boot_id.size(), sizeof file.boot_id));
  file.checksum = XXH3_64bits(&file, offsetof(File, checksum));
  file.mark = Encode(start.sequence);

  const std::string path = absl::StrCat(directory, "/", name);
  const std::string draft = absl::StrCat(path, ".new");
  const int fd = open(draft.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(draft, "create");
  void* mapping = MAP_FAILED;
  if (write(fd, &file, sizeof file) == sizeof file && fsync(fd) == 0 &&
      rename(draft.c_str(), path.c_str()) == 0) {
    mapping = mmap(nullptr, sizeof file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  const absl::Status failed =
      mapping == MAP_FAILED ? Failed(draft, "write") : absl::OkStatus();  // before errno changes
  close(fd);
  if (!failed.ok()) return failed;
  return std::unique_ptr<Watermark>(new Watermark(mapping));
}

absl::StatusOr<Watermarks> Watermarks::Create(const std::string& directory,
                                              const std::string& boot_id, uint64_t acknowledged,
                                              uint64_t synced) {
  auto first = Watermark::Create(directory, kAcknowledged, {boot_id, acknowledged});
  if (!first.ok()) return first.status();
  auto second = Watermark::Create(directory, kSynced, {boot_id, synced});
  if (!second.ok()) return second.status();
  return Watermarks{.acknowledged = *std::move(first), .synced = *std::move(second)};
}

Watermark::Watermark(void* mapping)
    : mapping_(mapping),
      mark_(reinterpret_cast<std::atomic<uint64_t>*>(static_cast<char*>(mapping) +
                                                     offsetof(File, mark))) {}

Watermark::~Watermark() { munmap(mapping_, sizeof(File)); }

void Watermark::Raise(uint64_t sequence) {
  const uint64_t raised = Encode(sequence);
  uint64_t held = mark_->load(std::memory_order_relaxed);
  while (held >> 16 < sequence &&
         !mark_->compare_exchange_weak(held, raised, std::memory_order_relaxed)) {
  }
}

}  // namespace winnow
