#include "storage/rocksdb/status.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/error.h"

namespace winnow {
namespace {

// The first word of RocksDB's message that looks like a file of its own.
std::string FileIn(const std::string& message) {
  for (absl::string_view word : absl::StrSplit(message, absl::ByAnyChar(" :,;()"))) {
    const size_t slash = word.rfind('/');
    if (slash != absl::string_view::npos) word.remove_prefix(slash + 1);
    if (absl::EndsWith(word, ".sst") || absl::EndsWith(word, ".log") || word == "CURRENT" ||
        absl::StartsWith(word, "MANIFEST-")) {
      return std::string(word);
    }
  }
  return "";
}

constexpr char kDenied[] =
    "the system denies access; check who owns the data directory and its files, and their modes";

// RocksDB tells what the system said in words alone.
bool DeniesAccess(const std::string& message) {
  return absl::StrContains(message, strerror(EACCES)) ||
         absl::StrContains(message, strerror(EPERM));
}

}  // namespace

absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return absl::OkStatus();
  const std::string why = absl::StrCat(what, ": ", status.ToString());
  if (status.IsNoSpace()) {
    return Error(absl::StatusCode::kResourceExhausted, "DISK_FULL",
                 absl::StrCat("the disk is full; free some of it and try again (", why, ")"));
  }
  if (status.IsCorruption()) return CorruptStore(FileIn(status.ToString()), why);
  return Error(
      absl::StatusCode::kUnavailable, "DISK_FAILED",
      absl::StrCat(DeniesAccess(why) ? kDenied : "the disk refused; try again", " (", why, ")"));
}

absl::Status FromOpening(const rocksdb::Status& status, const std::string& directory) {
  absl::Status failed = FromRocksdb(status, absl::StrCat("opening data directory ", directory));
  if (status.IsPathNotFound() || status.IsNotFound()) {
    return CorruptStore("CURRENT", std::string(failed.message()));
  }
  return failed;
}

absl::Status FromErrno(int error, const std::string& what) {
  const std::string why = absl::StrCat(what, ": ", strerror(error));
  if (error == ENOSPC || error == EDQUOT) {
    return Error(absl::StatusCode::kResourceExhausted, "DISK_FULL", why);
  }
  return Error(absl::StatusCode::kUnavailable, "DISK_FAILED",
               DeniesAccess(why) ? absl::StrCat(why, "; ", kDenied) : why);
}

absl::Status CorruptStore(const std::string& file, const std::string& what) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_STORE",
               absl::StrCat("what is stored is damaged (", what, ")"), {{"file", file}});
}

absl::Status InDirectory(const std::string& directory, const absl::Status& status) {
  const bool damaged = absl::IsDataLoss(status);
  if (status.ok() || (!damaged && absl::StrContains(status.message(), directory))) return status;
  absl::Status named(
      status.code(),
      absl::StrCat("data directory ", directory, ": ", status.message(),
                   damaged
                       ? "; restore it from a backup, or move it away to begin with none of its "
                         "contexts and load those that were saved as snapshots"
                       : ""));
  status.ForEachPayload([&named](absl::string_view url, const absl::Cord& payload) {
    named.SetPayload(url, payload);
  });
  return named;
}

absl::Status CorruptEntries(uint64_t context_number, int layer, uint64_t first, uint64_t end,
                            const std::string& what) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_ENTRIES",
               absl::StrCat("entries [", first, ", ", end, ") of layer ", layer,
                            " are damaged on disk (", what, ")"),
               {{"context_number", absl::StrCat(context_number)},
                {"layer", absl::StrCat(layer)},
                {"first_position", absl::StrCat(first)},
                {"end_position", absl::StrCat(end)}});
}

}  // namespace winnow
