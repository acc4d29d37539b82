#include "client/winnowctl/demo/corpus.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/error.h"

namespace winnow::ctl {
namespace {

namespace fs = std::filesystem;

constexpr char kHeaderRoot[] = "/usr/include/c++";

absl::Status Unreadable(const std::string& path, const std::string& why) {
  return Error(absl::StatusCode::kNotFound, "UNREADABLE_TEXT",
               absl::StrCat("cannot read ", path, ": ", why));
}

absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code unknown;  // such as a link to itself, which is no file
    if (it->is_regular_file(unknown)) files.push_back(it->path().string());
  }
  if (error) return Unreadable(path, error.message());
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status AppendFile(const std::string& path, uint64_t bytes, Corpus* corpus) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unreadable(path, "it cannot be opened");
  constexpr uint64_t kChunkBytes = 1 << 20;
  std::string& text = corpus->text;
  const size_t before = text.size();
  // No more than is wanted, of files of any size.
  while (file && text.size() < bytes) {
    const size_t had = text.size();
    text.resize(had + std::min(bytes - had, kChunkBytes));
    file.read(&text[had], static_cast<std::streamsize>(text.size() - had));
    text.resize(had + static_cast<size_t>(file.gcount()));
  }
  if (file.bad()) return Unreadable(path, "reading failed");
  if (text.size() > before) ++corpus->files;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Corpus> ReadCorpus(const std::vector<std::string>& paths, uint64_t bytes) {
  Corpus corpus;
  for (const std::string& path : paths) {
    absl::StatusOr<std::vector<std::string>> files = FilesOf(path);
    if (!files.ok()) return files.status();
    for (const std::string& file : *files) {
      if (corpus.text.size() == bytes) return corpus;
      if (absl::Status read = AppendFile(file, bytes, &corpus); !read.ok()) return read;
    }
  }
  if (corpus.text.size() == bytes) return corpus;
  return Error(
      absl::StatusCode::kOutOfRange, "SHORT_TEXT",
      absl::StrCat("the text has ", corpus.text.size(), " bytes; ", bytes,
                   " are needed, one more than --tokens (", absl::StrJoin(paths, ", "), ")"));
}

absl::StatusOr<std::string> CompilerHeaders() {
  std::error_code error;
  std::string newest;
  int newest_version = -1;
  for (fs::directory_iterator it(kHeaderRoot, error), end; !error && it != end;
       it.increment(error)) {
    int version = 0;
    if (!absl::SimpleAtoi(it->path().filename().string(), &version)) continue;
    if (version > newest_version) newest = it->path().string();
    newest_version = std::max(newest_version, version);
  }
  if (!newest.empty()) return newest;
  return Unreadable(kHeaderRoot, "it has no C++ headers; name files with --text");
}

}  // namespace winnow::ctl
