#ifndef WINNOW_KERNELS_CUDA_SIMULATOR_BLOCK_RUNNER_H_
#define WINNOW_KERNELS_CUDA_SIMULATOR_BLOCK_RUNNER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/cuda/launch_shape.h"
#include "kernels/cuda/simulator/fiber.h"
#include "kernels/cuda/simulator/simulator.h"

namespace winnow::kernels::simulator {

struct PendingCopy {
  void* to;
  const void* from;
  size_t bytes;
};

struct SimulatedThread {
  Place place;
  std::deque<std::vector<PendingCopy>> copies;  // in groups; the last one is open
  uint64_t products = 0;                        // given by its group
  std::deque<uint64_t> batches;                 // how many had been at each commit
  bool may_multiply = false;
  bool published = false;  // ever
  bool publishes = false;  // since its warp last had
  int met = 0;  // how many of the first threads, at the last barrier; 0 before there was one
  const char* waits_for = nullptr;  // while it does
  Location where;
  bool finished = false;
};

// Threads that have come to a collective, until all have.
struct Meeting {
  const char* what = "";
  Location where;
  int arrived = 0;
  void* operands[kGroupThreads] = {};
};

// A warp's rows of its group's products.
struct WarpProducts {
  std::deque<std::function<void()>> waiting;  // yet to be done
  uint64_t done = 0;
};

struct Group {
  Meeting meeting;
  WarpProducts products[kGroupThreads / 32];
};

struct CopyBarrier {
  int arrivals = 0;  // of a phase
  int arrived = 0;
  size_t announced = 0;  // bytes of the phase
  size_t given = 0;
  uint32_t phases = 0;              // that have ended
  std::vector<PendingCopy> copies;  // of phases that have or have not, yet to be done
};

// Runs one block after another on one OS thread.
class BlockRunner {
 public:
  BlockRunner(const cuda::LaunchShape& shape, uint64_t seed, const std::function<void()>& body);

  // Returns what went wrong, empty if nothing did.
  std::string RunBlock(int x, int y);

  // The runner of the calling simulated thread, and this thread and its group.
  static BlockRunner& Active() { return *active_; }
  SimulatedThread& current() { return threads_[current_]; }
  Group& group() { return groups_[current_ / kGroupThreads]; }
  WarpProducts& products() { return group().products[current_ % kGroupThreads / 32]; }

  void MeetWarp(const char* what, const Location& where, void* operand, void (*run)(void* const*));
  void MeetGroup(const char* what, const Location& where, void* operand, void (*run)(void* const*));
  void MeetBlock(const Location& where);
  void MeetFirst(int threads, const Location& where);

  // One that was initialised; ends the launch if it was not.
  CopyBarrier& copy_barrier(const void* at);
  void InitCopyBarrier(const void* at, int arrivals) { copy_barriers_[at].arrivals = arrivals; }
  // Lets others run; other warps first.
  void Yield();

  // Whether what is asynchronous is done as late as may be, or at once.
  bool late() const { return late_; }
  // Whether all threads that the current one met last have ever published what they wrote.
  bool published() const;
  // By each thread. What is in shared memory is seen by asynchronous units once a whole warp has.
  void Publish();
  // What such a unit writes, it sees.
  void CopyAsUnit(const PendingCopy& copy);
  // Whether they see what is there.
  bool IsSeen(const void* shared, size_t bytes) const;

  // Leaves the fiber for ever, whose stack is not unwound: takes the error's memory along.
  void Stop(std::string* error);

 private:
  size_t SharedBytes() const { return (shape_.shared_bytes + 127) / 128 * 128; }
  void Begin(int x, int y, std::byte* shared);
  static void Entry(void* argument);
  // True for the last of `all`; the others come back once it has released them.
  bool Arrive(Meeting* meeting, const char* what, const Location& where, int all);
  void Release(int first, int count);
  std::string WhoStillWaits() const;
  void MakeRunnable(int thread);
  // Takes the thread to run next; -1 if there is none.
  int TakeRunnable();

  static thread_local BlockRunner* active_;

  const cuda::LaunchShape shape_;
  const std::function<void()>& body_;
  std::mt19937_64 random_;
  const bool late_;
  // Whether a warp runs until it waits for others, so that it gets as far ahead of them as it may;
  // otherwise threads take turns at random.
  const bool by_warps_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<SimulatedThread> threads_;
  std::vector<Meeting> warps_;
  std::vector<Group> groups_;
  std::byte* shared_ = nullptr;
  std::vector<std::byte> seen_;  // of it, by asynchronous units
  Meeting block_;
  Meeting first_;  // threads of it
  std::map<const void*, CopyBarrier> copy_barriers_;
  std::vector<std::vector<int>> runnable_;  // of each warp
  std::vector<int> order_;                  // in which warps may run
  int current_ = 0;
  std::string error_;
};

}  // namespace winnow::kernels::simulator

#endif  // WINNOW_KERNELS_CUDA_SIMULATOR_BLOCK_RUNNER_H_
