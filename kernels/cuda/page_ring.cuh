#ifndef WINNOW_KERNELS_CUDA_PAGE_RING_CUH_
#define WINNOW_KERNELS_CUDA_PAGE_RING_CUH_

#include "kernels/cuda/score_block.h"
#include "kernels/cuda/score_pages.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// A stage of a ring, and whether its uses before were odd in number.
struct RingPlace {
  int stage = 0;
  uint32_t parity = 0;

  WINNOW_DEVICE void Move(int by, int stages) {
    stage += by;
    if (stage < stages) return;
    stage -= stages;
    parity ^= 1;
  }
};

// The block's pages on their way to its groups: page i of the block comes to stage i % stages, in
// one copy, once all four warps of the group that had the page before are done with it.
struct PageRing {
  static constexpr int kWarpsOfPage = 4;

  ScoreMemory* memory;
  std::byte* stages;  // [count, page_bytes]
  int count;
  int page_bytes;

  WINNOW_DEVICE std::byte* At(RingPlace at) const { return stages + at.stage * page_bytes; }

  // By the whole block, before a barrier of it. Lanes would initialise one after another.
  WINNOW_DEVICE void Init() const {
    if (simt::Lane() == 0) {
      for (int stage = simt::Warp(); stage < count; stage += simt::Warps()) {
        simt::CopyBarrierInit(&memory->full[stage], 1);
        simt::CopyBarrierInit(&memory->empty[stage], kWarpsOfPage);
      }
      if (simt::Warp() == 0) simt::CopyBarrierInit(&memory->asked_for, 1);
    }
    simt::SyncWarp();
  }

  WINNOW_DEVICE void AwaitPage(RingPlace at) const {
    simt::CopyBarrierWait(&memory->full[at.stage], at.parity);
    simt::SyncWarp();
  }
  // By each warp of its group, once it has read it.
  WINNOW_DEVICE void Leave(RingPlace at) const {
    simt::SyncWarp();
    if (simt::Lane() == 0) simt::CopyBarrierArrive(&memory->empty[at.stage], 0);
  }

  // By one thread.
  WINNOW_DEVICE void Put(RingPlace at, const PagePlace& place) const {
    memory->held[at.stage] = {place.position, place.held};
    simt::CopyBarrierArrive(&memory->full[at.stage], page_bytes);
    simt::CopyBulk(At(at), place.page, page_bytes, &memory->full[at.stage]);
  }
  // By a whole warp, so that no lane falls behind by two uses of a stage, which look alike.
  WINNOW_DEVICE void AwaitEmpty(RingPlace at) const {
    simt::CopyBarrierWait(&memory->empty[at.stage], at.parity);
    simt::SyncWarp();
  }
};

// The warp that copies the block's pages to its ring. Lane i looks up every 32nd page, the i-th and
// on, while those before are copied, and copies it.
struct PageCopier {
  const PageRing& ring;
  const BlockPages& pages;

  WINNOW_DEVICE PageCopier(const PageRing& to, const BlockPages& from) : ring(to), pages(from) {}

  // Returns once the last page is asked for; `place` is what the lane finds of the first 32.
  WINNOW_DEVICE void Run(PagePlace place) const {
    static_assert(kMostRingPages < 32);
    const uint32_t stages = ring.count;
    const uint32_t first = pages.count < stages ? pages.count : stages;
    RingPlace at;
    for (uint32_t i = 0; i < first; ++i, ++at.stage) Put(i, at, place);
    at = {};
    uint32_t i = first;
    for (uint32_t end = 32; i < pages.count; end += 32) {
      const PagePlace next = pages.Find(end + simt::Lane());
      const uint32_t last = end < pages.count ? end : pages.count;
      for (; i < last; ++i, at.Move(1, ring.count)) {
        ring.AwaitEmpty(at);
        Put(i, at, place);
      }
      place = next;
    }
    if (simt::Lane() == 0) simt::CopyBarrierArrive(&ring.memory->asked_for, 0);
  }

  WINNOW_DEVICE void Put(uint32_t i, RingPlace at, const PagePlace& place) const {
    if (simt::Lane() == static_cast<int>(i % 32)) ring.Put(at, place);
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAGE_RING_CUH_
