#include "services/shard/gpu_compute.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/gpu/fake_device.h"
#include "tests/kernels/random_data.h"

namespace winnow::shard {
namespace {

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

}  // namespace
}  // namespace winnow::shard
