#include <cstdio>

#include "tests/gpu/check/timing.h"
#include "tests/gpu/one_product.cuh"

namespace winnow::kernels::cuda {
namespace {

template <ProductKind kKind>
__global__ void Multiply(uint32_t* wrong) {
  if constexpr (simt::kHasGroups) MultiplyOnce<kKind>(wrong);
}

template <ProductKind kKind>
int IsWrong(const char* name, uint32_t* wrong) {
  Check(cudaMemset(wrong, 0, sizeof *wrong));
  Multiply<kKind><<<1, 128, ProductSharedBytes(kKind)>>>(wrong);
  Check(cudaGetLastError());
  uint32_t count = 0;
  Check(cudaMemcpy(&count, wrong, sizeof count, cudaMemcpyDeviceToHost));
  if (count == 0) return 0;
  std::printf("wgmma of %s: %u of %d values are wrong\n", name, count,
              kProductRows * ProductColumns(kKind));
  return 1;
}

}  // namespace

int CountWrongProducts() {
  uint32_t* wrong = nullptr;
  Check(cudaMalloc(&wrong, sizeof *wrong));
  const int kinds = IsWrong<ProductKind::kRegisters>("registers and a matrix", wrong) +
                    IsWrong<ProductKind::kMatrices>("two matrices", wrong) +
                    IsWrong<ProductKind::kTransposed>("registers and a transposed matrix", wrong) +
                    IsWrong<ProductKind::kF16>("f16", wrong) +
                    IsWrong<ProductKind::kF16Matrices>("two matrices of f16", wrong) +
                    IsWrong<ProductKind::kF16Transposed>("f16 and a transposed matrix", wrong) +
                    IsWrong<ProductKind::kF16WideTransposed>("f16 and a wide matrix", wrong);
  Check(cudaFree(wrong));
  return kinds;
}

}  // namespace winnow::kernels::cuda
