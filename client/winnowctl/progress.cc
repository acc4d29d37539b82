#include "client/winnowctl/progress.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace winnow::ctl {
namespace {

constexpr int kWidth = 40;
constexpr absl::Duration kRedrawEvery = absl::Milliseconds(100);

}  // namespace

Progress::Progress(std::string what, uint64_t total)
    : what_(std::move(what)),
      total_(total),
      on_terminal_(isatty(STDERR_FILENO) == 1),
      start_(absl::Now()) {}

Progress::~Progress() {
  if (on_terminal_) std::fputs("\n", stderr);
}

void Progress::Update(uint64_t done) {
  const absl::Time now = absl::Now();
  if (!on_terminal_ || (done < total_ && now - drawn_ < kRedrawEvery)) return;
  drawn_ = now;
  // What grows while it is worked on may be done beyond its total.
  const int filled = done >= total_ ? kWidth : static_cast<int>(done * kWidth / total_);
  const double rate = static_cast<double>(done) / (absl::ToDoubleSeconds(now - start_) + 1e-9);
  absl::FPrintF(stderr, "\r%s [%s%s] %d/%d  %.0f/s ", what_, std::string(filled, '#'),
                std::string(kWidth - filled, '.'), done, total_, rate);
  std::fflush(stderr);
}

}  // namespace winnow::ctl
