#include "tests/gpu/fake_device.h"
#include "tests/gpu/test_device.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels::cuda {

Error OpenTestDevice(std::unique_ptr<DeviceApi>* device) {
  static uint64_t devices = 0;
  *device = std::make_unique<FakeDevice>(TestSeed() + 1000 * devices++);
  return "";
}

}  // namespace winnow::kernels::cuda
