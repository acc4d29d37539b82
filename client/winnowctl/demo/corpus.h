#ifndef WINNOW_CLIENT_WINNOWCTL_DEMO_CORPUS_H_
#define WINNOW_CLIENT_WINNOWCTL_DEMO_CORPUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace winnow::ctl {

struct Corpus {
  std::string text;
  size_t files = 0;  // that it came from
};

// The first `bytes` of the files, one after another; of a directory, of all files below it in order
// of their paths. NOT_FOUND names a file that cannot be read, OUT_OF_RANGE tells how many bytes
// there are if too few.
absl::StatusOr<Corpus> ReadCorpus(const std::vector<std::string>& paths, uint64_t bytes);

// The directory of the newest C++ headers that a compiler installed here; NOT_FOUND if none did.
absl::StatusOr<std::string> CompilerHeaders();

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DEMO_CORPUS_H_
