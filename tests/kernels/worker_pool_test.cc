#include "kernels/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace winnow::kernels {
namespace {

TEST(WorkerPool, RunsEveryTaskOnce) {
  for (const int threads : {1, 2, 5}) {
    WorkerPool pool(threads);
    std::vector<std::atomic<int>> runs(1000);
    pool.ParallelFor(1000, [&](int task, int) { ++runs[task]; });
    for (const auto& count : runs) EXPECT_EQ(count.load(), 1);
  }
}

TEST(WorkerPool, NeverSharesAWorkerNumber) {
  WorkerPool pool(4);
  std::vector<std::atomic<bool>> busy(4);
  std::atomic<int> clashes = 0;
  pool.ParallelFor(500, [&](int, int worker) {
    ASSERT_GE(worker, 0);
    ASSERT_LT(worker, 4);
    if (busy[worker].exchange(true)) ++clashes;
    std::this_thread::yield();
    busy[worker] = false;
  });
  EXPECT_EQ(clashes.load(), 0);
}

TEST(WorkerPool, ServesSeveralCallers) {
  WorkerPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> total = 0;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        pool.ParallelFor(7, [&](int, int) { ++total; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total.load(), 6 * 50 * 7);
}

TEST(WorkerPool, DoesNothingForNoTasks) {
  WorkerPool pool(2);
  pool.ParallelFor(0, [](int, int) { FAIL(); });
}

}  // namespace
}  // namespace winnow::kernels
