#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "storage/failpoint.h"

// Linked into winnowd_faulty: WINNOW_FAILPOINT=name:count kills the process, as nothing can refuse
// to be killed, when it passes the failpoint of that name for the count-th time; with
// name:count@USR1 passages count from that signal on.
namespace winnow {
namespace {

struct Fate {
  std::string name;
  std::atomic<long> passages_left = 0;
  std::atomic<bool> counts = false;
};

Fate& TheFate() {
  static Fate fate;
  return fate;
}

void DieAtPassage(std::string_view name) {
  Fate& fate = TheFate();
  if (fate.counts && name == fate.name && fate.passages_left.fetch_sub(1) == 1)
    kill(getpid(), SIGKILL);
}

void BeginToCount(int) { TheFate().counts = true; }

const bool armed = [] {
  const char* const text = std::getenv("WINNOW_FAILPOINT");
  if (text == nullptr) return false;
  const std::string_view failpoint = text;
  const size_t colon = failpoint.rfind(':');
  const size_t at = std::min(failpoint.rfind('@'), failpoint.size());
  long count = 0;
  if (colon < at) std::from_chars(&failpoint[colon + 1], failpoint.data() + at, count);
  if (count <= 0) abort();  // a test that meant to kill must not pass by a misspelling
  TheFate().name = failpoint.substr(0, colon);
  TheFate().passages_left = count;
  if (at == failpoint.size()) {
    TheFate().counts = true;
  } else {
    signal(SIGUSR1, &BeginToCount);
  }
  failpoint_hook = &DieAtPassage;
  return true;
}();

}  // namespace
}  // namespace winnow
