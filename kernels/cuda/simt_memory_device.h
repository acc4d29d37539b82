#ifndef WINNOW_KERNELS_CUDA_SIMT_MEMORY_DEVICE_H_
#define WINNOW_KERNELS_CUDA_SIMT_MEMORY_DEVICE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/simt_device.h"

// Loads, atomics and asynchronous copies of kernels/cuda/simt.h, in instructions of sm_80 and
// later.
namespace winnow::kernels::simt {

WINNOW_DEVICE uint32_t LoadRelaxed(const uint32_t* from) {
  uint32_t value;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}
// Which memory a pointer is into, the compiler does not always see by itself.
WINNOW_DEVICE void LoadGlobal16OrZero(uint32_t (&words)[4], const void* global, bool there) {
  asm volatile(
      "{\n"
      ".reg .pred there;\n"
      "setp.ne.b32 there, %5, 0;\n"
      "mov.b32 %0, 0;\n"
      "mov.b32 %1, 0;\n"
      "mov.b32 %2, 0;\n"
      "mov.b32 %3, 0;\n"
      "@there ld.global.v4.u32 {%0, %1, %2, %3}, [%4];\n"
      "}\n"
      : "=&r"(words[0]), "=&r"(words[1]), "=&r"(words[2]), "=&r"(words[3])
      : "l"(global), "r"(there ? 1 : 0));
}
WINNOW_DEVICE void PrefetchToL2(const std::byte* global) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(global));
}
WINNOW_DEVICE uint32_t AtomicAdd(uint32_t* to, uint32_t value) {
  __builtin_assume(__isGlobal(to));
  return atomicAdd(to, value);
}
WINNOW_DEVICE uint32_t AtomicMax(uint32_t* to, uint32_t value) {
  __builtin_assume(__isGlobal(to));
  return atomicMax(to, value);
}
WINNOW_DEVICE uint32_t AtomicAddShared(uint32_t* to, uint32_t value) {
  __builtin_assume(__isShared(to));
  return atomicAdd(to, value);
}
WINNOW_DEVICE uint32_t AtomicMaxShared(uint32_t* to, uint32_t value) {
  __builtin_assume(__isShared(to));
  return atomicMax(to, value);
}
WINNOW_DEVICE uint32_t AtomicExchangeShared(uint32_t* to, uint32_t value) {
  __builtin_assume(__isShared(to));
  return atomicExch(to, value);
}

WINNOW_DEVICE uint32_t SharedAddress(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}
WINNOW_DEVICE void CopyAsync16(void* shared, const void* global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(SharedAddress(shared)), "l"(global)
               : "memory");
}
WINNOW_DEVICE void CopyAsync16OrZero(void* shared, const void* global, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(SharedAddress(shared)),
               "l"(global), "r"(there ? 16 : 0)
               : "memory");
}
WINNOW_DEVICE void CopyAsync4(void* shared, const void* global) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(SharedAddress(shared)), "l"(global)
               : "memory");
}
WINNOW_DEVICE void CopyAsyncCommit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kGroupsLeft>
WINNOW_DEVICE void CopyAsyncWait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
}

}  // namespace winnow::kernels::simt

#endif  // WINNOW_KERNELS_CUDA_SIMT_MEMORY_DEVICE_H_
