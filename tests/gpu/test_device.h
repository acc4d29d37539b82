#ifndef WINNOW_TESTS_GPU_TEST_DEVICE_H_
#define WINNOW_TESTS_GPU_TEST_DEVICE_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/device_api.h"
#include "tests/gpu/device_array.h"

namespace winnow::kernels::cuda {

// The device that this executable tests on: the simulator's or a real one; or why there is none.
[[nodiscard]] Error OpenTestDevice(std::unique_ptr<DeviceApi>* device);

// Skips its tests where there is no device.
class GpuTest : public testing::Test {
 protected:
  virtual bool use_groups() const { return true; }
  virtual bool attend_by_codes() const { return false; }

  void SetUp() override {
    if (const Error error = OpenTestDevice(&device_); !error.empty()) GTEST_SKIP() << error;
    ASSERT_EQ(CudaBackend::Create(*device_,
                                  {.concurrent_queries = 2,
                                   .workspace_bytes = size_t{32} << 20,
                                   .pinned_bytes = size_t{8} << 20,
                                   .use_groups = use_groups(),
                                   .attend_by_codes = attend_by_codes()},
                                  &backend_),
              "");
  }

  // Last in SetUp, where a test may ask for groups that the device has not.
  void SkipWithoutGroups() {
    if (IsSkipped() || !use_groups() || device_->properties().limits.has_groups) return;
    GTEST_SKIP() << device_->properties().name << " has no groups of warps";
  }

  std::unique_ptr<DeviceApi> device_;
  std::unique_ptr<CudaBackend> backend_;
};

// Each of its tests is run by warps and by groups, and skips where the device has none of these.
class GpuKernelTest : public GpuTest, public testing::WithParamInterface<bool> {
 protected:
  bool use_groups() const override { return GetParam(); }
  void SetUp() override {
    GpuTest::SetUp();
    SkipWithoutGroups();
  }
};

inline std::string DeviceKind(const testing::TestParamInfo<bool>& groups) {
  return groups.param ? "ByGroups" : "ByWarps";
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_TEST_DEVICE_H_
