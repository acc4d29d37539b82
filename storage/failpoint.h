#ifndef WINNOW_STORAGE_FAILPOINT_H_
#define WINNOW_STORAGE_FAILPOINT_H_

#include <atomic>
#include <string_view>

namespace winnow {

using FailpointHook = void (*)(std::string_view name);
inline std::atomic<FailpointHook> failpoint_hook = nullptr;

// A named place where tests stop the process, or make it wait. Does nothing in production, where
// there is no hook.
inline void Failpoint(std::string_view name) {
  if (const FailpointHook hook = failpoint_hook.load(std::memory_order_relaxed)) hook(name);
}

}  // namespace winnow

#endif  // WINNOW_STORAGE_FAILPOINT_H_
