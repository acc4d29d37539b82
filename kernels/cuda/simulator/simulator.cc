#include "kernels/cuda/simulator/simulator.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/cuda/simulator/block_runner.h"

namespace winnow::kernels::simulator {
namespace {

void DoCopies(const std::vector<PendingCopy>& copies) {
  for (const PendingCopy& copy : copies) std::memcpy(copy.to, copy.from, copy.bytes);
}

void EndPhase(CopyBarrier* barrier) {
  if (barrier->arrived < barrier->arrivals || barrier->given != barrier->announced) return;
  barrier->arrived = 0;
  barrier->announced = barrier->given = 0;
  ++barrier->phases;
}

void CheckAligned(const void* shared, const void* global, size_t unit, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(shared) % unit == 0 &&
      reinterpret_cast<uintptr_t>(global) % unit == 0 && bytes % unit == 0) {
    return;
  }
  Fail("an asynchronous copy of " + std::to_string(bytes) + " bytes is not aligned to " +
       std::to_string(unit));
}

std::string CheckShape(const cuda::LaunchShape& shape) {
  const bool good = shape.threads > 0 && shape.threads <= 1024 && shape.threads % 32 == 0 &&
                    shape.blocks_x > 0 && shape.blocks_y > 0 && shape.blocks_y < 65536;
  return good ? ""
              : "a launch of " + std::to_string(shape.threads) + " threads in " +
                    std::to_string(shape.blocks_x) + "," + std::to_string(shape.blocks_y) +
                    " blocks is not possible";
}

}  // namespace

const Place& Here() { return BlockRunner::Active().current().place; }

void MeetWarp(const char* what, const Location& where, void* operand, void (*run)(void* const*)) {
  BlockRunner::Active().MeetWarp(what, where, operand, run);
}

void MeetBlock(const Location& where) { BlockRunner::Active().MeetBlock(where); }

void MeetGroup(const char* what, const Location& where, void* operand, void (*run)(void* const*)) {
  BlockRunner& runner = BlockRunner::Active();
  if (!runner.current().may_multiply) Fail(std::string(what) + " without a GroupBegin before it");
  if (!runner.published()) Fail(std::string(what) + " before every thread's PublishShared");
  runner.MeetGroup(what, where, operand, run);
}

void MeetOwnGroup(const Location& where) {
  BlockRunner::Active().MeetGroup("SyncGroup", where, nullptr, [](void* const*) {});
}

void MeetFirst(int threads, const Location& where) {
  BlockRunner::Active().MeetFirst(threads, where);
}

void GiveProduct(int warp, std::function<void()> product) {
  BlockRunner& runner = BlockRunner::Active();
  if (!runner.late()) std::exchange(product, [] {})();
  runner.group().products[warp].waiting.push_back(std::move(product));
}

void CountProduct() { ++BlockRunner::Active().current().products; }

void BeginProducts() { BlockRunner::Active().current().may_multiply = true; }

void CommitProducts() {
  SimulatedThread& thread = BlockRunner::Active().current();
  thread.batches.push_back(thread.products);
}

void WaitForProducts(int batches_left) {
  BlockRunner& runner = BlockRunner::Active();
  SimulatedThread& thread = runner.current();
  WarpProducts& products = runner.products();
  for (; thread.batches.size() > static_cast<size_t>(batches_left); thread.batches.pop_front()) {
    for (; products.done < thread.batches.front(); ++products.done) {
      products.waiting.front()();
      products.waiting.pop_front();
    }
  }
  thread.may_multiply = batches_left > 0;
}

void PublishShared() { BlockRunner::Active().Publish(); }

void RequirePublished(const void* shared, size_t bytes) {
  if (!BlockRunner::Active().IsSeen(shared, bytes)) Fail("what was written needs a PublishShared");
}

void CopyBarrierInit(const void* barrier, int arrivals) {
  BlockRunner::Active().InitCopyBarrier(barrier, arrivals);
}

void CopyBarrierArrive(const void* at, size_t bytes) {
  BlockRunner& runner = BlockRunner::Active();
  CopyBarrier& barrier = runner.copy_barrier(at);
  ++barrier.arrived;
  barrier.announced += bytes;
  EndPhase(&barrier);
  // So that who waited may be ahead of what comes after.
  runner.Yield();
}

void CopyBulk(void* shared, const void* global, size_t bytes, const void* at) {
  CheckAligned(shared, global, 16, bytes);
  RequirePublished(shared, bytes);
  BlockRunner& runner = BlockRunner::Active();
  CopyBarrier& barrier = runner.copy_barrier(at);
  if (runner.late()) {
    barrier.copies.push_back({shared, global, bytes});
  } else {
    runner.CopyAsUnit({shared, global, bytes});
  }
  barrier.given += bytes;
  EndPhase(&barrier);
}

void CopyBarrierWait(const void* at, uint32_t parity) {
  constexpr int kMostWaits = 1000;
  for (int i = 0; !CopyBarrierWaitAWhile(at, parity); ++i) {
    if (i == kMostWaits) Fail("deadlock: copies are waited for that do not come");
  }
}

bool CopyBarrierWaitAWhile(const void* at, uint32_t parity) {
  constexpr int kYields = 100;
  BlockRunner& runner = BlockRunner::Active();
  CopyBarrier& barrier = runner.copy_barrier(at);
  for (int i = 0; barrier.phases % 2 == parity; ++i) {
    if (i == kYields) return false;
    runner.Yield();
  }
  for (const PendingCopy& copy : barrier.copies) runner.CopyAsUnit(copy);
  barrier.copies.clear();
  return true;
}

void CopyAsync(void* shared, const void* global, size_t bytes) {
  CheckAligned(shared, global, bytes, bytes);
  BlockRunner& runner = BlockRunner::Active();
  if (!runner.late()) std::memcpy(shared, global, bytes);
  runner.current().copies.back().push_back({shared, global, bytes});
}

void CopyAsyncCommit() { BlockRunner::Active().current().copies.emplace_back(); }

void CopyAsyncWait(int groups_left) {
  BlockRunner& runner = BlockRunner::Active();
  auto& copies = runner.current().copies;
  while (copies.size() > static_cast<size_t>(groups_left) + 1) {
    if (runner.late()) DoCopies(copies.front());
    copies.pop_front();
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
  const int blocks = shape.blocks_x * shape.blocks_y;
  const auto work = [&](uint64_t seed) {
    BlockRunner runner(shape, seed, body);
    for (int block = next++; block < blocks; block = next++) {
      const std::string found = runner.RunBlock(block % shape.blocks_x, block / shape.blocks_x);
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
