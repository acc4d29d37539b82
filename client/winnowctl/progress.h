#ifndef WINNOW_CLIENT_WINNOWCTL_PROGRESS_H_
#define WINNOW_CLIENT_WINNOWCTL_PROGRESS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace winnow::ctl {

// A bar on stderr for long work; silent where stderr is no terminal.
class Progress {
 public:
  Progress(std::string what, uint64_t total);
  // Ends the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(uint64_t done);

 private:
  const std::string what_;
  const uint64_t total_;
  const bool on_terminal_;
  const absl::Time start_;
  absl::Time drawn_ = absl::InfinitePast();
};

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_PROGRESS_H_
