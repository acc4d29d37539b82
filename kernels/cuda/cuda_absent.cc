#include "kernels/cuda/device_api.h"

namespace winnow::kernels::cuda {

Error OpenCudaDevice(int, std::unique_ptr<DeviceApi>*) {
  return "built without CUDA; configure with -DWINNOW_CUDA=ON where nvcc is installed";
}

}  // namespace winnow::kernels::cuda
