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

// The page has 1,088 bytes, which is no multiple of what it takes of a staging.
TEST(GpuCompute, ReadsNothingPastAWarmPage) {
  auto gpu = GpuCompute::Create(std::make_unique<kernels::cuda::FakeDevice>(kernels::TestSeed()),
                                "cuda:0 stand-in",
                                {.page_bytes = size_t{2} << 20,
                                 .concurrent_queries = 1,
                                 .workspace_bytes = size_t{4} << 20,
                                 .pinned_bytes = size_t{1} << 20,
                                 .staging_bytes = size_t{64} << 10},
                                /*cpu=*/nullptr);
  ASSERT_TRUE(gpu.ok()) << gpu.status();
  const GuardedBytes page(kernels::KeyPageBytes(kFormat, kDim));
  kernels::RandomData random(kernels::TestSeed());
  const std::vector<std::byte> keys = random.Keys(kFormat, kDim, kernels::kPageEntries);
  kernels::ArrangeKeys(kFormat, kDim, keys.data(), 0, kernels::kPageEntries, page.data());
  const std::vector<std::byte> queries = random.Queries(kFormat, kDim, kHeads);
  const std::vector<float> weights = random.Floats(kHeads, -1, 1);
  const ScoreRun warm{.entries = kernels::kPageEntries, .packed = page.data()};
  const uint32_t visible = kernels::kPageEntries;
  kernels::ScoreTopKResult result;
  const absl::Status status = (*gpu)->Score({.query = {.format = kFormat,
                                                       .rows = 1,
                                                       .heads = kHeads,
                                                       .dim = kDim,
                                                       .queries = queries.data(),
                                                       .weights = weights.data()},
                                             .runs = {&warm, 1},
                                             .visible_entries = {&visible, 1},
                                             .k = 5},
                                            &result);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(result.selected[0].size(), 5u);
}

constexpr size_t kMiB = size_t{1} << 20;

// On a device of which somebody else has left so many bytes.
absl::StatusOr<std::unique_ptr<GpuCompute>> OnDeviceWith(size_t free_bytes, size_t page_bytes,
                                                         size_t fails_at = 0) {
  auto device = std::make_unique<kernels::cuda::FakeDevice>(kernels::TestSeed());
  device->LimitMemory(free_bytes);
  if (fails_at > 0) {
    device->Fail(kernels::cuda::FakeDevice::Call::kAllocate, static_cast<int>(fails_at));
  }
  return GpuCompute::Create(std::move(device), "cuda:0 stand-in",
                            {.page_bytes = page_bytes,
                             .concurrent_queries = 1,
                             .workspace_bytes = 4 * kMiB,
                             .pinned_bytes = kMiB,
                             .staging_bytes = kMiB},
                            /*cpu=*/nullptr);
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
