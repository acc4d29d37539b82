#include "services/shard/start_threads.h"

#include <system_error>

namespace winnow::shard {

std::vector<std::thread> StartThreads(size_t count, const std::function<void()>& work) {
  std::vector<std::thread> threads;
  threads.reserve(count);
  try {
    while (threads.size() < count) threads.emplace_back(work);
  } catch (const std::system_error&) {
    // The only way in which the standard library tells.
  }
  return threads;
}

}  // namespace winnow::shard
