#include "services/winnowd/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "services/winnowd/log.h"

namespace winnow {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void StopSignal::Block() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

StopSignal& StopSignal::Watch() {
  static auto* const watch = [] {
    auto* const made = new StopSignal;
    std::thread([made] { made->Take(); }).detach();
    return made;
  }();
  return *watch;
}

void StopSignal::Take() {
  const sigset_t signals = StopSignals();
  int number = 0;
  sigwait(&signals, &number);
  absl::MutexLock lock(&mu_);
  if (!serving_) {
    Log(LogLevel::kInfo, "stopped before serving", {{"signal", strsignal(number)}});
    _exit(EXIT_SUCCESS);
  }
  number_ = number;
}

void StopSignal::BeginServing() {
  absl::MutexLock lock(&mu_);
  serving_ = true;
}

int StopSignal::Wait() {
  absl::MutexLock lock(&mu_, absl::Condition(this, &StopSignal::HasCome));
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  return *number_;
}

}  // namespace winnow
