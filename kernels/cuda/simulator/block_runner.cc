#include "kernels/cuda/simulator/block_runner.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace winnow::kernels::simulator {
namespace {

constexpr int kLanes = 32;

std::string Describe(const char* what, const Location& where) {
  return std::string(what) + " at " + where.file + ":" + std::to_string(where.line);
}

}  // namespace

thread_local BlockRunner* BlockRunner::active_ = nullptr;

BlockRunner::BlockRunner(const cuda::LaunchShape& shape, uint64_t seed,
                         const std::function<void()>& body)
    : shape_(shape), body_(body), random_(seed), late_(random_() % 2 == 0) {
  while (fibers_.size() < static_cast<size_t>(shape.threads)) {
    fibers_.push_back(std::make_unique<Fiber>());
  }
}

std::string BlockRunner::RunBlock(int x, int y, int z) {
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

void BlockRunner::Begin(int x, int y, int z, std::byte* shared) {
  threads_.assign(shape_.threads, {});
  warps_.assign(shape_.threads / kLanes, {});
  groups_ = std::vector<Group>((shape_.threads + kGroupThreads - 1) / kGroupThreads);
  block_ = {};
  first_ = {};
  copy_barriers_.clear();
  runnable_.clear();
  for (int t = 0; t < shape_.threads; ++t) {
    threads_[t].place = {t, x, y, z, &shape_, shared};
    threads_[t].copies.emplace_back();
    runnable_.push_back(t);
    fibers_[t]->Start(&BlockRunner::Entry, this);
  }
}

void BlockRunner::Entry(void* argument) {
  auto* runner = static_cast<BlockRunner*>(argument);
  const int self = runner->current_;
  runner->body_();
  runner->threads_[self].finished = true;
  runner->fibers_[self]->Leave(true);
}

void BlockRunner::MeetWarp(const char* what, const Location& where, void* operand,
                           void (*run)(void* const*)) {
  const int warp = current_ / kLanes;
  Meeting& meeting = warps_[warp];
  meeting.operands[current_ % kLanes] = operand;
  if (!Arrive(&meeting, what, where, kLanes)) return;
  run(meeting.operands);
  Release(warp * kLanes, kLanes);
}

void BlockRunner::MeetGroup(const char* what, const Location& where, void* operand,
                            void (*run)(void* const*)) {
  Meeting& meeting = group().meeting;
  meeting.operands[current_ % kGroupThreads] = operand;
  if (!Arrive(&meeting, what, where, kGroupThreads)) return;
  run(meeting.operands);
  Release(current_ / kGroupThreads * kGroupThreads, kGroupThreads);
}

void BlockRunner::MeetBlock(const Location& where) {
  current().met = shape_.threads;
  if (Arrive(&block_, "SyncBlock", where, shape_.threads)) Release(0, shape_.threads);
}

void BlockRunner::MeetFirst(int threads, const Location& where) {
  current().met = threads;
  if (Arrive(&first_, "SyncFirst", where, threads)) Release(0, threads);
}

CopyBarrier& BlockRunner::copy_barrier(const void* at) {
  const auto found = copy_barriers_.find(at);
  if (found != copy_barriers_.end()) return found->second;
  std::string error = "a barrier of copies was not initialised";
  Stop(&error);
  std::abort();
}

void BlockRunner::Yield() {
  runnable_.push_back(current_);
  fibers_[current_]->Leave(false);
}

bool BlockRunner::published() const {
  const int met = threads_[current_].met;
  return std::all_of(threads_.begin(), threads_.begin() + (met == 0 ? shape_.threads : met),
                     [](const SimulatedThread& thread) { return thread.published; });
}

void BlockRunner::Stop(std::string* error) {
  error_ = std::exchange(*error, {});
  fibers_[current_]->Leave(true);
}

bool BlockRunner::Arrive(Meeting* meeting, const char* what, const Location& where, int all) {
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

void BlockRunner::Release(int first, int count) {
  for (int t = first; t < first + count; ++t) {
    threads_[t].waits_for = nullptr;
    if (t != current_) runnable_.push_back(t);
  }
}

std::string BlockRunner::WhoStillWaits() const {
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

}  // namespace winnow::kernels::simulator
