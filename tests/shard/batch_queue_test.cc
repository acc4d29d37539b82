#include "services/shard/batch_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace winnow::shard {
namespace {

using Batch = std::vector<const int*>;

// Has queues of ints, of which the first holds the only staging until it is let go.
class BatchQueueTest : public ::testing::Test {
 protected:
  // Does `value`, joined by those that `joins` lets.
  absl::Status Do(
      int value, bool (*joins)(int first, int value) = [](int, int) { return true; }) {
    return queue_.Do(
        value, [&](const Batch& batch, const int& other) { return joins(*batch[0], other); },
        [&](const Batch& batch, const Staging&) {
          std::vector<int> values;
          for (const int* one : batch) values.push_back(*one);
          {
            absl::MutexLock lock(&mu_);
            batches_.push_back(values);
          }
          if (value == kFirst) let_go_.WaitForNotification();
          return std::ranges::count(values, kFailing) == 0 ? absl::OkStatus()
                                                           : absl::InternalError("failed");
        });
  }

  void AwaitBatches(size_t count) {
    while (batches().size() < count) absl::SleepFor(absl::Milliseconds(1));
  }
  void AwaitWaiting(size_t count) {
    while (queue_.waiting() != count) absl::SleepFor(absl::Milliseconds(1));
  }
  std::vector<std::vector<int>> batches() {
    absl::MutexLock lock(&mu_);
    return batches_;
  }

  static constexpr int kFirst = 100;
  static constexpr int kFailing = 13;

  StagingPool stagings_{{Staging{}}};
  BatchQueue<int> queue_{&stagings_};
  absl::Notification let_go_;
  absl::Mutex mu_;
  std::vector<std::vector<int>> batches_;
};

TEST_F(BatchQueueTest, ACallAloneIsDoneAlone) {
  EXPECT_TRUE(Do(1).ok());
  EXPECT_TRUE(Do(2).ok());
  EXPECT_EQ(batches(), (std::vector<std::vector<int>>{{1}, {2}}));
}

TEST_F(BatchQueueTest, CallsThatWaitAreDoneTogetherInTheOrderTheyCame) {
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { EXPECT_TRUE(Do(kFirst).ok()); });
  AwaitBatches(1);
  for (int value = 1; value <= 4; ++value) {
    threads.emplace_back([&, value] { EXPECT_TRUE(Do(value).ok()); });
    AwaitWaiting(value);
  }
  let_go_.Notify();
  threads.clear();
  EXPECT_EQ(batches(), (std::vector<std::vector<int>>{{kFirst}, {1, 2, 3, 4}}));
}

TEST_F(BatchQueueTest, WhatCannotJoinIsDoneLaterAndKeepsItsPlace) {
  const auto same_parity = [](int first, int value) { return first % 2 == value % 2; };
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { EXPECT_TRUE(Do(kFirst).ok()); });
  AwaitBatches(1);
  for (int value = 1; value <= 5; ++value) {
    threads.emplace_back([&, value] { EXPECT_TRUE(Do(value, same_parity).ok()); });
    AwaitWaiting(value);
  }
  let_go_.Notify();
  threads.clear();
  EXPECT_EQ(batches(), (std::vector<std::vector<int>>{{kFirst}, {1, 3, 5}, {2, 4}}));
}

TEST_F(BatchQueueTest, AFailureIsThatOfItsBatchAlone) {
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { EXPECT_TRUE(Do(kFirst).ok()); });
  AwaitBatches(1);
  const auto never = [](int, int) { return false; };
  threads.emplace_back([&] { EXPECT_TRUE(Do(1, never).ok()); });
  AwaitWaiting(1);
  for (const int value : {kFailing, 2}) {
    threads.emplace_back([&, value] { EXPECT_FALSE(Do(value).ok()); });
    AwaitWaiting(value == 2 ? 3 : 2);
  }
  let_go_.Notify();
  threads.clear();
  EXPECT_EQ(batches(), (std::vector<std::vector<int>>{{kFirst}, {1}, {kFailing, 2}}));
}

TEST_F(BatchQueueTest, EveryCallIsDoneOnceUnderLoad) {
  constexpr int kThreads = 8, kCalls = 200;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kCalls; ++i) {
        EXPECT_TRUE(Do(1000 * (thread + 1) + i).ok());
      }
    });
  }
  threads.clear();
  std::vector<int> done;
  for (const std::vector<int>& batch : batches())
    done.insert(done.end(), batch.begin(), batch.end());
  std::ranges::sort(done);
  EXPECT_EQ(done.size(), size_t{kThreads} * kCalls);
  EXPECT_EQ(std::ranges::adjacent_find(done), done.end());
}

}  // namespace
}  // namespace winnow::shard
