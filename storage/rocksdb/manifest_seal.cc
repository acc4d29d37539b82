#include "storage/rocksdb/manifest_seal.h"

#include <xxhash.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "storage/error.h"
#include "storage/rocksdb/log_chain.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

// The seal, version 1: "winnow-seal 1 <manifest> <bytes> <xxh3-128>", then " <log number>:<bytes>"
// for each log; a line with the XXH3-64 of that line; and nothing more.
constexpr char kFormat[] = "winnow-seal";
constexpr char kVersion[] = "1";
constexpr size_t kMaxSealBytes = size_t{64} << 10;
constexpr size_t kFixedFields = 5;
// A manifest is replaced by a new one long before.
constexpr size_t kMaxManifestBytes = size_t{256} << 20;
constexpr char kManifest[] = "MANIFEST-";
constexpr size_t kRecordHeaderBytes = 7;

std::string HashOf(const std::string& line) {
  return absl::StrFormat("%016x", XXH3_64bits(line.data(), line.size()));
}

FileHash HashOfFirst(const std::string& bytes, uint64_t count) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), count);
  return {.high = hash.high64, .low = hash.low64};
}

uint64_t NumberOf(const std::string& manifest) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(manifest.substr(std::strlen(kManifest)), &number)) return 0;
  return number;
}

std::string LogName(uint64_t number) { return absl::StrFormat("%06d.log", number); }

// Whether the first record of a log ends within its bytes. RocksDB takes one that does not for one
// that was never finished, and leaves out the whole log. Where a later record is so, the log after
// it tells; see log_chain.h. A record begins with u32 CRC, u16 length, u8 type, little-endian.
bool BeginsWhole(const std::string& path, uint64_t bytes) {
  std::ifstream file(path, std::ios::binary);
  std::array<unsigned char, kRecordHeaderBytes> header = {};
  if (!file.read(reinterpret_cast<char*>(header.data()), header.size())) return true;
  return kRecordHeaderBytes + header[4] + 256u * header[5] <= bytes;
}

}  // namespace

absl::StatusOr<std::string> ManifestSeal::CurrentManifest() const {
  absl::StatusOr<std::string> current = ReadSmallFile(directory_ + "/CURRENT", kMaxSealBytes);
  if (!current.ok()) return current.status();
  const std::string name(absl::StripAsciiWhitespace(*current));
  if (!absl::StartsWith(name, kManifest) || *current != name + "\n" || NumberOf(name) == 0) {
    return CorruptStore("CURRENT", "CURRENT does not name a manifest");
  }
  return name;
}

absl::StatusOr<ManifestSeal::Seal> ManifestSeal::ReadSeal() const {
  absl::StatusOr<std::string> text = ReadSmallFile(SealPath(), kMaxSealBytes);
  if (absl::IsNotFound(text.status())) return CorruptStore("SEALED", "SEALED is missing");
  if (!text.ok()) return text.status();
  const std::string line = text->substr(0, text->find('\n'));
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  Seal seal;
  if (*text != absl::StrCat(line, "\n", HashOf(line), "\n") || fields.size() < kFixedFields ||
      fields[0] != kFormat || fields[1] != kVersion || !absl::StartsWith(fields[2], kManifest) ||
      !absl::SimpleAtoi(fields[3], &seal.file.bytes) || fields[4].size() != 32 ||
      !absl::SimpleHexAtoi(fields[4].substr(0, 16), &seal.file.hash.high) ||
      !absl::SimpleHexAtoi(fields[4].substr(16), &seal.file.hash.low)) {
    return CorruptStore("SEALED", "SEALED does not match its checksum");
  }
  seal.manifest = fields[2];
  for (size_t i = kFixedFields; i < fields.size(); ++i) {
    const std::pair<std::string, std::string> log = absl::StrSplit(fields[i], ':');
    uint64_t number = 0;
    if (!absl::SimpleAtoi(log.first, &number) ||
        !absl::SimpleAtoi(log.second, &seal.logs[number])) {
      return CorruptStore("SEALED", "SEALED names a log without its size");
    }
  }
  return seal;
}

absl::Status ManifestSeal::Check() {
  absl::StatusOr<std::string> current = CurrentManifest();
  if (!current.ok()) return current.status();
  absl::StatusOr<Seal> seal = ReadSeal();
  if (!seal.ok()) return seal.status();
  sealed_logs_ = seal->logs;
  found_logs_ = LogsFrom(0);
  if (NumberOf(*current) < NumberOf(seal->manifest)) {
    return CorruptStore("CURRENT", absl::StrCat("CURRENT names ", *current, ", but ",
                                                seal->manifest, " came after it"));
  }
  // A newer one was begun, and not sealed before the process ended.
  if (*current != seal->manifest) return absl::OkStatus();
  absl::StatusOr<std::string> bytes =
      ReadSmallFile(absl::StrCat(directory_, "/", *current), kMaxManifestBytes);
  if (absl::IsNotFound(bytes.status())) return CorruptStore(*current, *current + " is missing");
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() < seal->file.bytes ||
      HashOfFirst(*bytes, seal->file.bytes) != seal->file.hash) {
    return CorruptStore(*current, absl::StrCat(*current, " is not what was written"));
  }
  return absl::OkStatus();
}

std::map<uint64_t, uint64_t> ManifestSeal::LogsFrom(uint64_t first) const {
  std::map<uint64_t, uint64_t> logs;
  std::error_code error;
  for (std::filesystem::directory_iterator i(directory_, error), end; !error && i != end;
       i.increment(error)) {
    const std::optional<uint64_t> number = LogNumber(i->path());
    std::error_code gone;
    const uint64_t bytes = i->file_size(gone);
    if (!gone && number.has_value() && *number >= first) logs[*number] = bytes;
  }
  return logs;
}

absl::Status ManifestSeal::CheckLogs(uint64_t first) const {
  for (auto sealed = sealed_logs_.lower_bound(first); sealed != sealed_logs_.end(); ++sealed) {
    const auto& [number, bytes] = *sealed;
    const auto log = found_logs_.find(number);
    const std::string name = LogName(number);
    if (log != found_logs_.end() && log->second >= bytes) {
      if (BeginsWhole(absl::StrCat(directory_, "/", name), log->second)) continue;
      return CorruptStore(name, name + " begins with a record that is longer than it");
    }
    return CorruptStore(name, log == found_logs_.end() ? absl::StrCat(name, " is missing")
                                                       : absl::StrCat(name, " has ", log->second,
                                                                      " bytes, not ", bytes));
  }
  return absl::OkStatus();
}

absl::Status ManifestSeal::Update(rocksdb::DB* db) {
  absl::MutexLock lock(&mu_);
  absl::StatusOr<std::string> current = CurrentManifest();
  if (!current.ok()) return current.status();
  absl::StatusOr<std::string> bytes =
      ReadSmallFile(absl::StrCat(directory_, "/", *current), kMaxManifestBytes);
  if (!bytes.ok()) return bytes.status();
  Seal seal{.manifest = *current,
            .file = {.bytes = bytes->size(), .hash = HashOfFirst(*bytes, bytes->size())}};
  // Asked for after the manifest was read: what that needs may only have become less.
  uint64_t first_log = 0;
  db->GetIntProperty(rocksdb::DB::Properties::kMinLogNumberToKeep, &first_log);
  seal.logs = LogsFrom(first_log);
  // Where the disk refused a log's first record there is nothing to miss, and CheckLogs would take
  // it for damage.
  std::erase_if(seal.logs, [this](const auto& log) {
    return !BeginsWhole(absl::StrCat(directory_, "/", LogName(log.first)), log.second);
  });
  return WriteSeal(seal);
}

absl::Status ManifestSeal::ForgetLog(uint64_t number) {
  absl::MutexLock lock(&mu_);
  absl::StatusOr<Seal> seal = ReadSeal();
  // Nothing is missed by what is damaged; what cannot be read just now would miss the log.
  if (absl::IsDataLoss(seal.status())) return absl::OkStatus();
  if (!seal.ok()) return seal.status();
  if (seal->logs.erase(number) == 0) return absl::OkStatus();
  return WriteSeal(*seal);
}

absl::Status ManifestSeal::WriteSeal(const Seal& seal) const {
  std::string line = absl::StrFormat("%s %s %s %d %016x%016x", kFormat, kVersion, seal.manifest,
                                     seal.file.bytes, seal.file.hash.high, seal.file.hash.low);
  for (const auto& [number, size] : seal.logs) absl::StrAppend(&line, " ", number, ":", size);
  const std::string unfinished = SealPath() + ".unfinished";
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file << line << "\n" << HashOf(line) << "\n";
  file.close();
  // Not synced: it is compared only as long as the system runs on.
  if (!file || std::rename(unfinished.c_str(), SealPath().c_str()) != 0) {
    return Error(absl::StatusCode::kUnavailable, "DISK_FAILED",
                 absl::StrCat("cannot write ", SealPath()));
  }
  return absl::OkStatus();
}

}  // namespace winnow
