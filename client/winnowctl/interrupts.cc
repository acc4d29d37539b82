#include "client/winnowctl/interrupts.h"

#include <atomic>
#include <cstring>
#include <iostream>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace winnow::ctl {
namespace {

std::atomic<int> noted = 0;
static_assert(std::atomic<int>::is_always_lock_free, "for a signal's handler");

void Note(int signal_number) {
  if (noted.exchange(signal_number) == 0) return;
  // Of another kind than the first; one of the same kind finds the handler gone.
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

}  // namespace

Interrupts::Interrupts() {
  noted = 0;
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler == SIG_IGN) continue;  // as nohup has it
    struct sigaction action = {};
    action.sa_handler = Note;
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    sigaction(kSignals[i], &action, nullptr);
  }
}

Interrupts::~Interrupts() {
  for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  if (noted == 0) return;
  std::cout.flush();
  raise(noted);
}

absl::Status Interrupts::Check() const {
  if (noted == 0) return absl::OkStatus();
  return absl::CancelledError(absl::StrCat("ended by a signal: ", strsignal(noted)));
}

}  // namespace winnow::ctl
