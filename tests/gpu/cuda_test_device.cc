#include "tests/gpu/test_device.h"

namespace winnow::kernels::cuda {

Error OpenTestDevice(std::unique_ptr<DeviceApi>* device) { return OpenCudaDevice(0, device); }

}  // namespace winnow::kernels::cuda
