#include "services/shard/gpu_compute.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/error.h"
#include "tests/gpu/fake_device.h"
#include "tests/kernels/random_data.h"

namespace winnow::shard {
namespace {

using kernels::cuda::FakeDevice;
using ::testing::HasSubstr;

constexpr int kDim = 32;
constexpr int kHeads = 2;
constexpr auto kFormat = kernels::KeyFormat::kMxFp4;

// Bytes that end where memory begins that cannot be read.
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t bytes)
      : system_page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))),
        mapped_(mmap(nullptr, 2 * system_page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0)),
        first_(static_cast<std::byte*>(mapped_) + system_page_ - bytes) {
    EXPECT_NE(mapped_, MAP_FAILED);
    EXPECT_LE(bytes, system_page_);
    EXPECT_EQ(mprotect(first_ + bytes, system_page_, PROT_NONE), 0);
  }
  ~GuardedBytes() { EXPECT_EQ(munmap(mapped_, 2 * system_page_), 0); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  std::byte* data() const { return first_; }

 private:
  const size_t system_page_;
  void* const mapped_;
  std::byte* const first_;
};

constexpr size_t kMiB = size_t{1} << 20;
constexpr GpuOptions kSmall = {.page_bytes = 2 * kMiB,
                               .concurrent_queries = 1,
                               .workspace_bytes = 4 * kMiB,
                               .pinned_bytes = kMiB,
                               .staging_bytes = size_t{64} << 10};

// A full page that the device has no copy of. It has 1,088 bytes, which is no multiple of what it
// takes of a staging.
class WarmPage {
 public:
  WarmPage() {
    const std::vector<std::byte> keys = random_.Keys(kFormat, kDim, kernels::kPageEntries);
    kernels::ArrangeKeys(kFormat, kDim, keys.data(), 0, kernels::kPageEntries, page_.data());
  }

  absl::Status Score(GpuCompute* gpu, kernels::ScoreTopKResult* result) const {
    const ScoreRun warm{.entries = kernels::kPageEntries, .packed = page_.data()};
    const uint32_t visible = kernels::kPageEntries;
    return gpu->Score({.query = {.format = kFormat,
                                 .rows = 1,
                                 .heads = kHeads,
                                 .dim = kDim,
                                 .queries = queries_.data(),
                                 .weights = weights_.data()},
                       .runs = {&warm, 1},
                       .visible_entries = {&visible, 1},
                       .k = 5},
                      result);
  }

 private:
  kernels::RandomData random_{kernels::TestSeed()};
  GuardedBytes page_{kernels::KeyPageBytes(kFormat, kDim)};
  std::vector<std::byte> queries_ = random_.Queries(kFormat, kDim, kHeads);
  std::vector<float> weights_ = random_.Floats(kHeads, -1, 1);
};

TEST(GpuCompute, ReadsNothingPastAWarmPage) {
  auto gpu = GpuCompute::Create(std::make_unique<FakeDevice>(kernels::TestSeed()),
                                "cuda:0 stand-in", kSmall, /*cpu=*/nullptr);
  ASSERT_TRUE(gpu.ok()) << gpu.status();
  kernels::ScoreTopKResult result;
  const absl::Status status = WarmPage().Score(gpu->get(), &result);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(result.selected[0].size(), 5u);
}

TEST(GpuCompute, BringsWarmPagesAgainAfterAQueryThatCouldNot) {
  auto device = std::make_unique<FakeDevice>(kernels::TestSeed());
  FakeDevice* const breaks = device.get();
  auto gpu = GpuCompute::Create(std::move(device), "cuda:0 stand-in", kSmall, /*cpu=*/nullptr);
  ASSERT_TRUE(gpu.ok()) << gpu.status();
  const WarmPage page;
  kernels::ScoreTopKResult expected, result;
  ASSERT_TRUE(page.Score(gpu->get(), &expected).ok());
  for (int copy = 1; copy <= 3; ++copy) {
    breaks->Fail(FakeDevice::Call::kCopy, copy);
    EXPECT_EQ(ErrorReason(page.Score(gpu->get(), &result)), "DEVICE_FAILED");
    ASSERT_TRUE(page.Score(gpu->get(), &result).ok());
    EXPECT_EQ(result.selected, expected.selected);
  }
}

// Of a device that does its work as late as it may.
TEST(GpuCompute, CopiesMadeInTheBackgroundArriveBeforeAQueryLearnsOfThem) {
  auto device = std::make_unique<FakeDevice>(kernels::TestSeed());
  device->DelayWork(true);
  const auto gpu =
      GpuCompute::Create(std::move(device), "cuda:0 stand-in", kSmall, /*cpu=*/nullptr);
  ASSERT_TRUE(gpu.ok()) << gpu.status();
  PageMirror& mirror = *(*gpu)->mirror();
  const std::vector<std::byte> page(5000, std::byte{7});
  const auto arrives = [&](PageMirror& by, const PageMirror::Copy& copy) {
    EXPECT_TRUE(by.Write(copy, 0, page).ok());
    EXPECT_TRUE(by.Publish().ok());
    return std::equal(page.begin(), page.end(), copy.get());
  };
  const PageMirror::Copy appended = mirror.Add(page.size());
  EXPECT_FALSE(arrives(mirror, appended)) << "queries wait for it";
  EXPECT_TRUE(arrives(mirror.background(), mirror.Add(page.size())));
}

// On a device of which somebody else has left so many bytes.
absl::StatusOr<std::unique_ptr<GpuCompute>> OnDeviceWith(size_t free_bytes, size_t page_bytes,
                                                         size_t fails_at = 0) {
  auto device = std::make_unique<FakeDevice>(kernels::TestSeed());
  device->LimitMemory(free_bytes);
  if (fails_at > 0) {
    device->Fail(FakeDevice::Call::kAllocate, static_cast<int>(fails_at));
  }
  GpuOptions options = kSmall;
  options.page_bytes = page_bytes;
  return GpuCompute::Create(std::move(device), "cuda:0 stand-in", options, /*cpu=*/nullptr);
}

TEST(GpuCompute, TakesNoMoreThanMostOfWhatIsFree) {
  const auto gpu = OnDeviceWith(100 * kMiB, 0);
  ASSERT_TRUE(gpu.ok()) << gpu.status();
  const uint64_t capacity_bytes = (*gpu)->mirror()->usage().capacity_bytes;
  EXPECT_LE(capacity_bytes, 85 * kMiB);
  EXPECT_GE(capacity_bytes, 70 * kMiB);
}

TEST(GpuCompute, SaysHowMuchIsFreeWhereThatIsTooLittle) {
  for (const size_t page_bytes : {size_t{0}, 95 * kMiB}) {
    const size_t free_bytes = page_bytes == 0 ? 5 * kMiB : 100 * kMiB;
    const absl::Status status = OnDeviceWith(free_bytes, page_bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_EQ(ErrorReason(status), "DEVICE_MEMORY");
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::to_string(free_bytes)));
  }
}

TEST(GpuCompute, WhatSomebodyElseTookMeanwhileIsMemoryToo) {
  for (const size_t allocation : {1, 2, 3}) {
    const absl::Status status = OnDeviceWith(100 * kMiB, 0, allocation).status();
    EXPECT_EQ(ErrorReason(status), "DEVICE_MEMORY") << status;
  }
}

}  // namespace
}  // namespace winnow::shard
