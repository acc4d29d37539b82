#include "kernels/cuda/simulator/simulator.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/cuda/simulator/fiber.h"

namespace winnow::kernels::simulator {
namespace {

constexpr int kLanes = 32;

struct PendingCopy {
  void* to;
  const void* from;
  size_t bytes;
};

struct SimulatedThread {
  Place place;
  std::deque<std::vector<PendingCopy>> groups;  // of asynchronous copies; the last one is open
  const char* waits_for = nullptr;              // while it does
  Location where;
  bool finished = false;
};

// Threads that have come to a collective, until all have.
struct Meeting {
  const char* what = "";
  Location where;
  int arrived = 0;
  void* operands[kLanes] = {};
};

// Runs one block after another on one OS thread.
class BlockRunner {
 public:
  BlockRunner(const cuda::LaunchShape& shape, uint64_t seed, const std::function<void()>& body)
      : shape_(shape), body_(body), random_(seed), late_copies_(random_() % 2 == 0) {
    while (fibers_.size() < static_cast<size_t>(shape.threads)) {
      fibers_.push_back(std::make_unique<Fiber>());
    }
  }

  std::string RunBlock(int x, int y, int z) {
    // Exactly its size, so that AddressSanitizer sees what is beyond. 0xff bytes are NaN in fp32,
    // bf16 and e4m3.
    std::byte* shared = static_cast<std::byte*>(std::aligned_alloc(128, SharedBytes()));
    std::memset(shared, 0xff, SharedBytes());
    Begin(x, y, z, shared);
    BlockRunner* const outer = std::exchange(active_, this);
    while (!runnable_.empty() && error_.empty()) {
      const size_t pick = random_() % runnable_.size();
      current_ = std::exchange(runnable_[pick], runnable_.back());
      runnable_.pop_back();
      fibers_[current_]->Enter();
    }
    active_ = outer;
    std::free(shared);
    if (error_.empty()) error_ = WhoStillWaits();
    return error_;
  }

  static BlockRunner& Active() { return *active_; }
  SimulatedThread& current() { return threads_[current_]; }

  void MeetWarp(const char* what, const Location& where, void* operand, void (*run)(void* const*)) {
    const int warp = current_ / kLanes;
    Meeting& meeting = warps_[warp];
    meeting.operands[current_ % kLanes] = operand;
    if (!Arrive(&meeting, what, where, kLanes)) return;
    run(meeting.operands);
    Release(warp * kLanes, kLanes);
  }

  void MeetBlock(const Location& where) {
    if (Arrive(&block_, "SyncBlock", where, shape_.threads)) Release(0, shape_.threads);
  }

  bool late_copies() const { return late_copies_; }

  // Leaves the fiber for ever, whose stack is not unwound: takes the error's memory along.
  void Stop(std::string* error) {
    error_ = std::exchange(*error, {});
    fibers_[current_]->Leave(true);
  }

 private:
  size_t SharedBytes() const { return (shape_.shared_bytes + 127) / 128 * 128; }

  void Begin(int x, int y, int z, std::byte* shared) {
    threads_.assign(shape_.threads, {});
    warps_.assign(shape_.threads / kLanes, {});
    block_ = {};
    runnable_.clear();
    for (int t = 0; t < shape_.threads; ++t) {
      threads_[t].place = {t, x, y, z, &shape_, shared};
      threads_[t].groups.emplace_back();
      runnable_.push_back(t);
      fibers_[t]->Start(&BlockRunner::Entry, this);
    }
  }

  static void Entry(void* argument) {
    auto* runner = static_cast<BlockRunner*>(argument);
    const int self = runner->current_;
    runner->body_();
    runner->threads_[self].finished = true;
    runner->fibers_[self]->Leave(true);
  }

  // True for the last of `all`; the others come back once it has released them.
  bool Arrive(Meeting* meeting, const char* what, const Location& where, int all) {
    if (meeting->arrived++ == 0) {
      meeting->what = what;
      meeting->where = where;
    } else if (meeting->what != std::string_view(what) || meeting->where.line != where.line) {
      std::string error = "threads diverge: one comes to " + Describe(what, where) +
                          ", others wait for " + Describe(meeting->what, meeting->where);
      Stop(&error);
    }
    if (meeting->arrived == all) {
      meeting->arrived = 0;
      return true;
    }
    current().waits_for = what;
    current().where = where;
    fibers_[current_]->Leave(false);
    return false;
  }

  void Release(int first, int count) {
    for (int t = first; t < first + count; ++t) {
      threads_[t].waits_for = nullptr;
      if (t != current_) runnable_.push_back(t);
    }
  }

  static std::string Describe(const char* what, const Location& where) {
    return std::string(what) + " at " + where.file + ":" + std::to_string(where.line);
  }

  std::string WhoStillWaits() const {
    int waiting = 0;
    std::string first;
    for (const SimulatedThread& thread : threads_) {
      if (thread.finished) continue;
      if (waiting++ > 0) continue;
      first = "thread " + std::to_string(thread.place.thread) + " waits for " +
              Describe(thread.waits_for, thread.where);
    }
    if (waiting == 0) return "";
    return "deadlock: " + first + ", and so do " + std::to_string(waiting - 1) +
           " other threads, for this or for something else";
  }

  static thread_local BlockRunner* active_;

  const cuda::LaunchShape shape_;
  const std::function<void()>& body_;
  std::mt19937_64 random_;
  const bool late_copies_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<SimulatedThread> threads_;
  std::vector<Meeting> warps_;
  Meeting block_;
  std::vector<int> runnable_;
  int current_ = 0;
  std::string error_;
};

thread_local BlockRunner* BlockRunner::active_ = nullptr;

void DoCopies(const std::vector<PendingCopy>& copies) {
  for (const PendingCopy& copy : copies) std::memcpy(copy.to, copy.from, copy.bytes);
}

std::string CheckShape(const cuda::LaunchShape& shape) {
  const bool good = shape.threads > 0 && shape.threads <= 1024 && shape.threads % kLanes == 0 &&
                    shape.blocks_x > 0 && shape.blocks_y > 0 && shape.blocks_y < 65536 &&
                    shape.blocks_z > 0 && shape.blocks_z < 65536;
  return good ? ""
              : "a launch of " + std::to_string(shape.threads) + " threads in " +
                    std::to_string(shape.blocks_x) + "," + std::to_string(shape.blocks_y) + "," +
                    std::to_string(shape.blocks_z) + " blocks is not possible";
}

}  // namespace

const Place& Here() { return BlockRunner::Active().current().place; }

void MeetWarp(const char* what, const Location& where, void* operand, void (*run)(void* const*)) {
  BlockRunner::Active().MeetWarp(what, where, operand, run);
}

void MeetBlock(const Location& where) { BlockRunner::Active().MeetBlock(where); }

void CopyAsync(void* shared, const void* global, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(shared) % bytes != 0 ||
      reinterpret_cast<uintptr_t>(global) % bytes != 0) {
    Fail("an asynchronous copy of " + std::to_string(bytes) + " bytes is not aligned to them");
  }
  BlockRunner& runner = BlockRunner::Active();
  if (!runner.late_copies()) std::memcpy(shared, global, bytes);
  runner.current().groups.back().push_back({shared, global, bytes});
}

void CopyAsyncCommit() { BlockRunner::Active().current().groups.emplace_back(); }

void CopyAsyncWait(int groups_left) {
  BlockRunner& runner = BlockRunner::Active();
  auto& groups = runner.current().groups;
  while (groups.size() > static_cast<size_t>(groups_left) + 1) {
    if (runner.late_copies()) DoCopies(groups.front());
    groups.pop_front();
  }
}

void Fail(std::string message) {
  BlockRunner::Active().Stop(&message);
  std::abort();
}

std::string Simulate(const cuda::LaunchShape& shape, const Options& options,
                     const std::function<void()>& body) {
  if (std::string error = CheckShape(shape); !error.empty()) return error;
  std::mutex mutex;
  std::string error;
  std::atomic<int> next = 0;
  const int blocks = shape.blocks_x * shape.blocks_y * shape.blocks_z;
  const auto work = [&](uint64_t seed) {
    BlockRunner runner(shape, seed, body);
    for (int block = next++; block < blocks; block = next++) {
      const std::string found =
          runner.RunBlock(block % shape.blocks_x, block / shape.blocks_x % shape.blocks_y,
                          block / shape.blocks_x / shape.blocks_y);
      if (found.empty()) continue;
      next = blocks;
      const std::scoped_lock lock(mutex);
      error = found;
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < options.os_threads; ++i) others.emplace_back(work, options.seed + i);
  work(options.seed);
  for (std::thread& thread : others) thread.join();
  return error;
}

}  // namespace winnow::kernels::simulator
