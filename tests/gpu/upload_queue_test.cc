#include "kernels/cuda/upload_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <future>
#include <thread>

#include "tests/gpu/fake_device.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels::cuda {
namespace {

using Call = FakeDevice::Call;

class UploadQueueTest : public testing::Test {
 protected:
  UploadQueueTest() {
    EXPECT_EQ(device_.Allocate(kBytes, &memory_), "");
    EXPECT_EQ(device_.CreateStream(&stream_), "");
    EXPECT_EQ(device_.CreateEvent(&event_), "");
    EXPECT_EQ(device_.AllocatePinned(kBytes, &seen_), "");
    EXPECT_EQ(UploadQueue::Create(device_, 1000, 3, &queue_), "");
  }
  ~UploadQueueTest() override {
    queue_.reset();
    device_.FreePinned(seen_);
    device_.DestroyEvent(event_);
    device_.DestroyStream(stream_);
    device_.Free(memory_);
    EXPECT_EQ(device_.live(), 0u);
  }

  Error Upload(std::byte* to, std::span<const std::byte> from) {
    return queue_->Upload(to, from, memory_);
  }

  // What a query whose stream is ordered after the uploads sees of the device's memory.
  std::vector<std::byte> SeenByAQuery() {
    EXPECT_EQ(queue_->Order(stream_), "");
    EXPECT_EQ(device_.Copy(stream_, seen_, memory_, kBytes), "");
    EXPECT_EQ(device_.Record(event_, stream_), "");
    EXPECT_EQ(device_.Synchronize(event_), "");
    return {seen_, seen_ + kBytes};
  }

  static constexpr size_t kBytes = 20000;
  FakeDevice device_{TestSeed()};
  RandomData random_{TestSeed()};
  std::byte* memory_ = nullptr;
  std::byte* seen_ = nullptr;
  Stream stream_ = nullptr;
  Event event_ = nullptr;
  std::unique_ptr<UploadQueue> queue_;
  std::future<Error> late_;
};

TEST_F(UploadQueueTest, AQuerySeesEveryAcknowledgedAppend) {
  device_.DelayWork(true);
  std::vector<std::byte> expected(kBytes, std::byte{0xff});
  for (int round = 0; round < 200; ++round) {
    const int at = random_.Int(0, kBytes - 1);
    std::vector<std::byte> bytes(random_.Int(0, std::min<int>(5000, kBytes - at)));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_.Int(0, 255));
    ASSERT_EQ(Upload(memory_ + at, bytes), "");
    std::copy(bytes.begin(), bytes.end(), expected.begin() + at);
    if (random_.Int(0, 1) == 0) {
      ASSERT_EQ(queue_->Flush(), "");
    }
    // What was handed over may be overwritten at once.
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    if (random_.Int(0, 3) == 0) {
      ASSERT_EQ(SeenByAQuery(), expected);
    }
  }
  ASSERT_EQ(SeenByAQuery(), expected);
}

TEST_F(UploadQueueTest, GathersAdjoiningPieces) {
  const std::vector<std::byte> bytes(100);
  for (int i = 0; i < 9; ++i) ASSERT_EQ(Upload(memory_ + 100 * i, bytes), "");
  ASSERT_EQ(queue_->Flush(), "");
  EXPECT_EQ(device_.calls(Call::kCopy), 1);
}

TEST_F(UploadQueueTest, CopiesToNeighbouringAllocationsApart) {
  std::byte* first = nullptr;
  std::byte* second = nullptr;
  ASSERT_EQ(device_.AllocateNeighbours(256, &first, &second), "");
  const std::vector<std::byte> bytes(256, std::byte{5});
  ASSERT_EQ(queue_->Upload(first, bytes, first), "");
  ASSERT_EQ(queue_->Upload(second, bytes, second), "");
  EXPECT_EQ(queue_->Finish(), "");
  EXPECT_EQ(std::memcmp(second, bytes.data(), bytes.size()), 0);
  device_.Free(first);
  device_.Free(second);
}

TEST_F(UploadQueueTest, FinishWaitsForWhatIsOnItsWay) {
  device_.DelayWork(true);
  const std::vector<std::byte> bytes(2500, std::byte{3});
  ASSERT_EQ(Upload(memory_, bytes), "");
  ASSERT_EQ(queue_->Finish(), "");
  EXPECT_EQ(std::memcmp(memory_, bytes.data(), bytes.size()), 0);
}

// As where a page's memory was that of another, whose last append is still on its way.
TEST_F(UploadQueueTest, CopiesAfterThoseOfAnotherQueue) {
  device_.DelayWork(true);
  std::unique_ptr<UploadQueue> later;
  ASSERT_EQ(UploadQueue::Create(device_, 1000, 2, &later, /*after=*/queue_.get()), "");
  const std::vector<std::byte> old(900, std::byte{1}), fresh(2500, std::byte{2});
  ASSERT_EQ(Upload(memory_, old), "");
  ASSERT_EQ(later->Upload(memory_, fresh, memory_), "");
  ASSERT_EQ(later->Finish(), "");
  ASSERT_EQ(queue_->Finish(), "");
  EXPECT_EQ(std::memcmp(memory_, fresh.data(), fresh.size()), 0);
}

TEST_F(UploadQueueTest, AQueryDoesNotWaitWithAnUpload) {
  device_.DelayWork(true);
  bool ordered = false;
  device_.WhileSynchronizing([&] {
    device_.WhileSynchronizing(nullptr);
    auto order = std::async(std::launch::async, [&] { return queue_->Order(stream_); });
    ordered = order.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    // If not, it is once the upload has ended.
    late_ = std::move(order);
  });
  ASSERT_EQ(Upload(memory_, std::vector<std::byte>(3500)), "");
  ASSERT_TRUE(late_.valid()) << "all three buffers were on their way";
  EXPECT_EQ(late_.get(), "");
  EXPECT_TRUE(ordered);
}

TEST_F(UploadQueueTest, RenewedItForgetsAnError) {
  device_.DelayWork(true);
  device_.Fail(Call::kCopy, 2);
  const std::vector<std::byte> lost(2500, std::byte{1}), bytes(2500, std::byte{2});
  EXPECT_NE(Upload(memory_, lost), "");
  queue_->Renew();
  ASSERT_EQ(Upload(memory_ + 5000, bytes), "");
  const std::vector<std::byte> seen = SeenByAQuery();
  EXPECT_EQ(std::memcmp(&seen[5000], bytes.data(), bytes.size()), 0);
  EXPECT_EQ(queue_->Finish(), "");
}

TEST_F(UploadQueueTest, StaysBrokenAfterAFailedCopy) {
  device_.DelayWork(true);
  device_.Fail(Call::kCopy, 2);
  const std::vector<std::byte> bytes(10);
  ASSERT_EQ(Upload(memory_, bytes), "");
  ASSERT_EQ(Upload(memory_ + 100, bytes), "");
  EXPECT_NE(queue_->Flush(), "");
  EXPECT_NE(Upload(memory_, bytes), "");
  EXPECT_NE(queue_->Flush(), "");
  EXPECT_NE(queue_->Order(stream_), "");
  EXPECT_NE(queue_->Finish(), "");
}

TEST_F(UploadQueueTest, ReportsEveryKindOfFailure) {
  const std::vector<std::byte> bytes(5000);
  for (const Call call : {Call::kCopy, Call::kRecord, Call::kSynchronize}) {
    for (const bool all_after : {false, true}) {
      std::unique_ptr<UploadQueue> queue;
      ASSERT_EQ(UploadQueue::Create(device_, 1000, 2, &queue), "");
      device_.Fail(call, 1, all_after);
      Error error = queue->Upload(memory_, bytes, memory_);
      if (error.empty()) error = queue->Finish();
      EXPECT_NE(error, "");
      queue.reset();
      device_.Fail(call, 1000000);
    }
  }
}

TEST_F(UploadQueueTest, LeavesNothingBehindWhenItCannotBeMade) {
  const size_t before = device_.live();
  for (const Call call : {Call::kCreateStream, Call::kAllocatePinned, Call::kCreateEvent}) {
    for (int n = 1; n <= (call == Call::kCreateStream ? 1 : 3); ++n) {
      device_.Fail(call, n);
      std::unique_ptr<UploadQueue> queue;
      EXPECT_NE(UploadQueue::Create(device_, 1000, 3, &queue), "");
      EXPECT_EQ(device_.live(), before);
    }
  }
}

TEST_F(UploadQueueTest, TakesUploadsOfSeveralThreads) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      const std::vector<std::byte> bytes(37, static_cast<std::byte>(t));
      for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(Upload(memory_ + 5000 * t + 37 * i, bytes), "");
      }
      EXPECT_EQ(queue_->Flush(), "");
    });
  }
  threads.clear();
  const std::vector<std::byte> seen = SeenByAQuery();
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < 3700; ++i) ASSERT_EQ(seen[5000 * t + i], static_cast<std::byte>(t));
  }
}

}  // namespace
}  // namespace winnow::kernels::cuda
