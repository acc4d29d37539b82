#include "kernels/cuda/simulator/block_runner.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
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
    : shape_(shape),
      body_(body),
      random_(seed),
      late_(random_() % 2 == 0),
      by_warps_(random_() % 2 == 0) {
  while (fibers_.size() < static_cast<size_t>(shape.threads)) {
    fibers_.push_back(std::make_unique<Fiber>());
  }
}

std::string BlockRunner::RunBlock(int x, int y) {
  // Exactly its size, so that AddressSanitizer sees what is beyond. 0xff bytes are NaN in fp32,
  // bf16 and e4m3.
  std::byte* shared = static_cast<std::byte*>(std::aligned_alloc(128, SharedBytes()));
  std::memset(shared, 0xff, SharedBytes());
  shared_ = shared;
  seen_.assign(shared, shared + SharedBytes());
  Begin(x, y, shared);
  BlockRunner* const outer = std::exchange(active_, this);
  for (int next = TakeRunnable(); next >= 0 && error_.empty(); next = TakeRunnable()) {
    current_ = next;
    fibers_[current_]->Enter();
  }
  active_ = outer;
  std::free(shared);
  if (error_.empty()) error_ = WhoStillWaits();
  return error_;
}

void BlockRunner::Begin(int x, int y, std::byte* shared) {
  threads_.assign(shape_.threads, {});
  warps_.assign(shape_.threads / kLanes, {});
  groups_ = std::vector<Group>((shape_.threads + kGroupThreads - 1) / kGroupThreads);
  block_ = {};
  first_ = {};
  copy_barriers_.clear();
  runnable_.assign(warps_.size(), {});
  order_.resize(warps_.size());
  std::iota(order_.begin(), order_.end(), 0);
  for (int t = 0; t < shape_.threads; ++t) {
    threads_[t].place = {t, x, y, &shape_, shared};
    threads_[t].copies.emplace_back();
    MakeRunnable(t);
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

void BlockRunner::MakeRunnable(int thread) { runnable_[thread / kLanes].push_back(thread); }

int BlockRunner::TakeRunnable() {
  constexpr int kStepsOfOrder = 1000;  // or so
  if (!by_warps_ || random_() % kStepsOfOrder == 0) std::ranges::shuffle(order_, random_);
  const auto warp =
      std::ranges::find_if(order_, [&](int candidate) { return !runnable_[candidate].empty(); });
  if (warp == order_.end()) return -1;
  std::vector<int>& threads = runnable_[*warp];
  std::swap(threads[random_() % threads.size()], threads.back());
  const int taken = threads.back();
  threads.pop_back();
  return taken;
}

void BlockRunner::Yield() {
  MakeRunnable(current_);
  const auto own = std::ranges::find(order_, current_ / kLanes);
  std::rotate(own, own + 1, order_.end());
  fibers_[current_]->Leave(false);
}

bool BlockRunner::published() const {
  const int met = threads_[current_].met;
  return std::all_of(threads_.begin(), threads_.begin() + (met == 0 ? shape_.threads : met),
                     [](const SimulatedThread& thread) { return thread.published; });
}

void BlockRunner::Publish() {
  current().published = current().publishes = true;
  const auto warp = threads_.begin() + current_ / kLanes * kLanes;
  if (!std::all_of(warp, warp + kLanes, [](const SimulatedThread& t) { return t.publishes; })) {
    return;
  }
  std::for_each(warp, warp + kLanes, [](SimulatedThread& t) { t.publishes = false; });
  std::memcpy(seen_.data(), shared_, seen_.size());
}

void BlockRunner::CopyAsUnit(const PendingCopy& copy) {
  std::memcpy(copy.to, copy.from, copy.bytes);
  std::memcpy(&seen_[static_cast<std::byte*>(copy.to) - shared_], copy.from, copy.bytes);
}

bool BlockRunner::IsSeen(const void* shared, size_t bytes) const {
  const auto at = static_cast<size_t>(static_cast<const std::byte*>(shared) - shared_);
  return at + bytes <= seen_.size() && std::memcmp(shared, &seen_[at], bytes) == 0;
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
    if (t != current_) MakeRunnable(t);
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
