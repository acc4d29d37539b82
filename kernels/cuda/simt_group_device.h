#ifndef WINNOW_KERNELS_CUDA_SIMT_GROUP_DEVICE_H_
#define WINNOW_KERNELS_CUDA_SIMT_GROUP_DEVICE_H_

#include <cstdint>

#include "kernels/cuda/simt_memory_device.h"
#include "kernels/cuda/simt_product_device.h"

// The part of kernels/cuda/simt.h that is for groups of four warps, in instructions of sm_90a
// (wgmma). Older devices compile what uses it, and leave it out.
namespace winnow::kernels::simt {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
inline constexpr bool kHasGroups = true;
#else
inline constexpr bool kHasGroups = false;
#endif

// The lower two e4m3 codes of a word, exactly; first in the low half.
WINNOW_DEVICE uint32_t E4m3PairToF16x2(uint32_t codes) {
  uint32_t values;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(values) : "h"(static_cast<uint16_t>(codes)));
  return values;
}

// All four codes of a word.
WINNOW_DEVICE void E4m3QuadToF16x2(uint32_t codes, uint32_t* low, uint32_t* high) {
  asm("{\n"
      ".reg .b16 first, second;\n"
      "mov.b32 {first, second}, %2;\n"
      "cvt.rn.f16x2.e4m3x2 %0, first;\n"
      "cvt.rn.f16x2.e4m3x2 %1, second;\n"
      "}\n"
      : "=r"(*low), "=r"(*high)
      : "r"(codes));
}

template <int kThreads>
WINNOW_DEVICE void SyncFirst() {
  asm volatile("bar.sync 1, %0;" ::"n"(kThreads) : "memory");
}
WINNOW_DEVICE void SyncGroup() {
  asm volatile("bar.sync %0, 128;" ::"r"(2 + (threadIdx.x >> 7)) : "memory");
}
// For the rest of the kernel; by a whole group, in one branch of a kernel whose registers are
// capped.
template <int kCount>
WINNOW_DEVICE void TakeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
}
template <int kCount>
WINNOW_DEVICE void GiveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
}

WINNOW_DEVICE void CopyBarrierInit(uint64_t* barrier, int arrivals) {
  asm volatile(
      "mbarrier.init.shared::cta.b64 [%0], %1;\n"
      "fence.mbarrier_init.release.cluster;" ::"r"(SharedAddress(barrier)),
      "r"(arrivals)
      : "memory");
}
WINNOW_DEVICE void CopyBarrierArrive(uint64_t* barrier, uint32_t bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(SharedAddress(barrier)),
      "r"(bytes)
      : "memory");
}
WINNOW_DEVICE void CopyBulk(void* shared, const void* global, uint32_t bytes, uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(SharedAddress(shared)),
      "l"(global), "r"(bytes), "r"(SharedAddress(barrier))
      : "memory");
}
WINNOW_DEVICE void CopyBarrierWait(uint64_t* barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "WAIT:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra WAIT;\n"
      "}\n" ::"r"(SharedAddress(barrier)),
      "r"(parity)
      : "memory");
}

// A test and a pause: how long a wait with a limit sleeps at least is the device's to say.
WINNOW_DEVICE bool CopyBarrierWaitFor(uint64_t* barrier, uint32_t parity, uint32_t nanoseconds) {
  uint32_t done;
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "mbarrier.test_wait.parity.shared::cta.b64 done, [%1], %2;\n"
      "selp.u32 %0, 1, 0, done;\n"
      "}\n"
      : "=r"(done)
      : "r"(SharedAddress(barrier)), "r"(parity)
      : "memory");
  if (done == 0 && nanoseconds > 0) __nanosleep(nanoseconds);
  return done != 0;
}

WINNOW_DEVICE void PublishShared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// A matrix descriptor without swizzling (PTX, "Asynchronous warpgroup level matrix shared memory
// layout"): addresses and strides in units of 16 bytes. Of an address 18 bits count; those above
// tell the blocks of a cluster apart.
WINNOW_DEVICE uint64_t SharedMatrix(const void* shared, int half_bytes, int tile_bytes) {
  constexpr uint32_t kAddressBits = 0x3ffff;
  return static_cast<uint64_t>((SharedAddress(shared) & kAddressBits) >> 4) |
         static_cast<uint64_t>(half_bytes >> 4) << 16 |
         static_cast<uint64_t>(tile_bytes >> 4) << 32;
}

WINNOW_DEVICE void GroupBegin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
WINNOW_DEVICE void GroupCommit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kBatchesLeft>
WINNOW_DEVICE void GroupWait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kBatchesLeft) : "memory");
}

template <int kTiles>
WINNOW_DEVICE void GroupHold(float (&d)[kTiles][4]) {
  WINNOW_UNROLL
  for (int i = 0; i < 4 * kTiles; ++i) asm volatile("" : "+f"(d[i / 4][i % 4])::"memory");
}

}  // namespace winnow::kernels::simt

#endif  // WINNOW_KERNELS_CUDA_SIMT_GROUP_DEVICE_H_
