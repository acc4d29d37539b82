#ifndef WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_MEMORY_HOST_H_
#define WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_MEMORY_HOST_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cuda/simulator/simt_host.h"

// Loads, atomics and asynchronous copies of kernels/cuda/simt.h, on the simulator.
namespace winnow::kernels::simt {

WINNOW_DEVICE uint32_t LoadRelaxed(const uint32_t* from) {
  return std::atomic_ref(*const_cast<uint32_t*>(from)).load(std::memory_order_relaxed);
}
WINNOW_DEVICE uint32_t AtomicAdd(uint32_t* to, uint32_t value) {
  return std::atomic_ref(*to).fetch_add(value, std::memory_order_relaxed);
}
WINNOW_DEVICE uint32_t AtomicMax(uint32_t* to, uint32_t value) {
  std::atomic_ref shared(*to);
  uint32_t before = shared.load(std::memory_order_relaxed);
  while (before < value && !shared.compare_exchange_weak(before, value)) {
  }
  return before;
}
WINNOW_DEVICE uint32_t AtomicAddShared(uint32_t* to, uint32_t value) {
  const uint32_t before = *to;
  *to += value;
  return before;
}
WINNOW_DEVICE uint32_t AtomicMaxShared(uint32_t* to, uint32_t value) {
  const uint32_t before = *to;
  if (before < value) *to = value;
  return before;
}
WINNOW_DEVICE uint32_t AtomicExchangeShared(uint32_t* to, uint32_t value) {
  const uint32_t before = *to;
  *to = value;
  return before;
}

WINNOW_DEVICE void LoadGlobal16OrZero(uint32_t (&words)[4], const void* global, bool there) {
  std::memset(words, 0, sizeof words);
  if (reinterpret_cast<uintptr_t>(global) % 16 != 0) simulator::Fail("a load is not aligned to 16");
  if (!there) return;
  std::memcpy(words, global, sizeof words);
}
// Reads it, so that AddressSanitizer sees where that is.
WINNOW_DEVICE void PrefetchToL2(const std::byte* global) {
  static_cast<void>(*static_cast<const volatile std::byte*>(global));
}

WINNOW_DEVICE void CopyAsync16(void* shared, const void* global) {
  simulator::CopyAsync(shared, global, 16);
}
WINNOW_DEVICE void CopyAsync16OrZero(void* shared, const void* global, bool there) {
  alignas(16) static const std::byte zeros[16] = {};
  // A device may refuse the address although it reads nothing there.
  if (reinterpret_cast<uintptr_t>(global) % 16 != 0) simulator::Fail("a copy is not aligned to 16");
  simulator::CopyAsync(shared, there ? global : zeros, 16);
}
WINNOW_DEVICE void CopyAsync4(void* shared, const void* global) {
  simulator::CopyAsync(shared, global, 4);
}
WINNOW_DEVICE void CopyAsyncCommit() { simulator::CopyAsyncCommit(); }
template <int kGroupsLeft>
WINNOW_DEVICE void CopyAsyncWait() {
  simulator::CopyAsyncWait(kGroupsLeft);
}

}  // namespace winnow::kernels::simt

#endif  // WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_MEMORY_HOST_H_
