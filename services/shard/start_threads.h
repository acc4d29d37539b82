#ifndef WINNOW_SERVICES_SHARD_START_THREADS_H_
#define WINNOW_SERVICES_SHARD_START_THREADS_H_

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace winnow::shard {

// Starts `count` threads that run `work`; fewer, perhaps none, where the system has no more, as
// with a limit on processes. The caller joins them.
std::vector<std::thread> StartThreads(size_t count, const std::function<void()>& work);

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_START_THREADS_H_
