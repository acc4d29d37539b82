#ifndef WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_GROUP_HOST_H_
#define WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_GROUP_HOST_H_

#include <cstdint>

#include "kernels/cuda/simulator/simt_memory_host.h"

// The part of kernels/cuda/simt.h that is for groups of four warps, on the simulator.
namespace winnow::kernels::simt {

inline constexpr bool kHasGroups = true;

uint32_t E4m3PairToF16x2(uint32_t codes);
WINNOW_DEVICE void E4m3QuadToF16x2(uint32_t codes, uint32_t* low, uint32_t* high) {
  *low = E4m3PairToF16x2(codes);
  *high = E4m3PairToF16x2(codes >> 16);
}

template <int kThreads>
WINNOW_DEVICE void SyncFirst(const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  simulator::MeetFirst(kThreads, where);
}
WINNOW_DEVICE void SyncGroup(const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  simulator::MeetOwnGroup(where);
}
template <int kCount>
WINNOW_DEVICE void TakeRegisters() {}
template <int kCount>
WINNOW_DEVICE void GiveRegisters() {}

WINNOW_DEVICE void CopyBarrierInit(uint64_t* barrier, int arrivals) {
  simulator::CopyBarrierInit(barrier, arrivals);
}
WINNOW_DEVICE void CopyBarrierArrive(uint64_t* barrier, uint32_t bytes) {
  simulator::CopyBarrierArrive(barrier, bytes);
}
WINNOW_DEVICE void CopyBulk(void* shared, const void* global, uint32_t bytes, uint64_t* barrier) {
  simulator::CopyBulk(shared, global, bytes, barrier);
}
WINNOW_DEVICE void CopyBarrierWait(uint64_t* barrier, uint32_t parity) {
  simulator::CopyBarrierWait(barrier, parity);
}
WINNOW_DEVICE bool CopyBarrierWaitFor(uint64_t* barrier, uint32_t parity, uint32_t /*unused*/) {
  return simulator::CopyBarrierWaitAWhile(barrier, parity);
}

WINNOW_DEVICE void PublishShared() { simulator::PublishShared(); }

uint64_t SharedMatrix(const void* shared, int half_bytes, int tile_bytes);

WINNOW_DEVICE void GroupBegin() { simulator::BeginProducts(); }
WINNOW_DEVICE void GroupCommit() { simulator::CommitProducts(); }
template <int kTiles>
WINNOW_DEVICE void GroupHold(float (&)[kTiles][4]) {}
template <int kBatchesLeft>
WINNOW_DEVICE void GroupWait() {
  simulator::WaitForProducts(kBatchesLeft);
}

// One thread's part of a product.
struct ProductOperand {
  float* d;
  int tiles;
  const uint32_t* a;  // null for a matrix in shared memory
  uint64_t a_matrix;
  uint64_t b;
  bool b_transposed;
  bool add;
  bool f16 = false;  // instead of bf16
};
void MultiplyByGroup(ProductOperand operand, const Location& where);

template <int kTiles>
WINNOW_DEVICE void MmaGroup(float (&d)[kTiles][4], const uint32_t (&a)[4], uint64_t b, bool add,
                            const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  MultiplyByGroup({&d[0][0], kTiles, a, 0, b, false, add}, where);
}
template <int kTiles>
WINNOW_DEVICE void MmaGroup(float (&d)[kTiles][4], uint64_t a, uint64_t b, bool add,
                            const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  MultiplyByGroup({&d[0][0], kTiles, nullptr, a, b, false, add}, where);
}
template <int kTiles>
WINNOW_DEVICE void MmaGroupTransposed(float (&d)[kTiles][4], const uint32_t (&a)[4], uint64_t b,
                                      bool add,
                                      const Location& where = {__builtin_FILE(),
                                                               __builtin_LINE()}) {
  MultiplyByGroup({&d[0][0], kTiles, a, 0, b, true, add}, where);
}
template <int kTiles>
WINNOW_DEVICE void MmaGroupF16(float (&d)[kTiles][4], uint64_t a, uint64_t b, bool add,
                               const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  MultiplyByGroup({&d[0][0], kTiles, nullptr, a, b, false, add, true}, where);
}
template <int kTiles>
WINNOW_DEVICE void MmaGroupF16(float (&d)[kTiles][4], const uint32_t (&a)[4], uint64_t b, bool add,
                               const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  MultiplyByGroup({&d[0][0], kTiles, a, 0, b, false, add, true}, where);
}
template <int kTiles>
WINNOW_DEVICE void MmaGroupF16Transposed(float (&d)[kTiles][4], const uint32_t (&a)[4], uint64_t b,
                                         bool add,
                                         const Location& where = {__builtin_FILE(),
                                                                  __builtin_LINE()}) {
  MultiplyByGroup({&d[0][0], kTiles, a, 0, b, true, add, true}, where);
}

}  // namespace winnow::kernels::simt

#endif  // WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_GROUP_HOST_H_
