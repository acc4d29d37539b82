#include "storage/rocksdb/status.h"

#include <vector>

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

}  // namespace

absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return absl::OkStatus();
  const std::string why = absl::StrCat(what, ": ", status.ToString());
  if (status.IsNoSpace()) {
    return Error(absl::StatusCode::kResourceExhausted, "DISK_FULL",
                 absl::StrCat("the disk is full; free some of it and try again (", why, ")"));
  }
  if (status.IsCorruption()) return CorruptStore(FileIn(status.ToString()), why);
  return Error(absl::StatusCode::kUnavailable, "DISK_FAILED",
               absl::StrCat("the disk refused; try again (", why, ")"));
}

absl::Status CorruptStore(const std::string& file, const std::string& what) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_STORE",
               absl::StrCat("the data directory is damaged (", what, ")"), {{"file", file}});
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
