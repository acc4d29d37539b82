#ifndef WINNOW_KERNELS_CUDA_FP8_ATTEND_ROWS_CUH_
#define WINNOW_KERNELS_CUDA_FP8_ATTEND_ROWS_CUH_

#include "kernels/cuda/attend_block.cuh"
#include "kernels/cuda/fp8_attend_layout.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

namespace winnow::kernels::cuda {

// The rows of a block's split in its shared memory, as they are stored, Fp8AttendLayout::kRows at a
// time; those beyond the split's end are zero.
struct Fp8AttendRows : SplitRows {
  using L = Fp8AttendLayout;

  WINNOW_DEVICE explicit Fp8AttendRows(const SplitRows& of) : SplitRows(of) {}

  WINNOW_DEVICE bool Has(int block) const { return block * L::kRows < count; }

  WINNOW_DEVICE static std::byte* Stage(int block) {
    return simt::SharedMemory() + L::kRaw + block % L::kStages * (L::kRows * L::kRowBytes);
  }
  WINNOW_DEVICE static uint64_t* Full(int block) {
    return reinterpret_cast<uint64_t*>(simt::SharedMemory() + L::kFull) + block % L::kStages;
  }
  WINNOW_DEVICE static uint64_t* Empty(int block) {
    return reinterpret_cast<uint64_t*>(simt::SharedMemory() + L::kEmpty) + block % L::kStages;
  }
  // Of the phase of a stage's barriers that a block is.
  WINNOW_DEVICE static uint32_t Parity(int block) {
    return static_cast<uint32_t>(block / L::kStages) & 1;
  }

  // By the whole block, with a barrier of it before anything else.
  WINNOW_DEVICE static void InitBarriers() {
    if (simt::ThreadInBlock() >= L::kStages) return;
    simt::CopyBarrierInit(Full(simt::ThreadInBlock()), L::kGroupWarps);
    simt::CopyBarrierInit(Empty(simt::ThreadInBlock()), 2 * L::kGroupWarps);
  }

  // Until a block's rows are there.
  WINNOW_DEVICE static void Wait(int block) { simt::CopyBarrierWait(Full(block), Parity(block)); }
  // By a whole warp: it needs them no more.
  WINNOW_DEVICE static void Release(int block) {
    simt::SyncWarp();
    if (simt::Lane() == 0) simt::CopyBarrierArrive(Empty(block), 0);
  }

  // Brings all rows, by the warps of a group of its own.
  WINNOW_DEVICE void BringAll() const {
    uint64_t next = AddressOf(0);
    for (int block = 0; Has(block); ++block) {
      const uint64_t address = next;
      next = AddressOf(block + 1);
      if (block >= L::kStages) {
        simt::CopyBarrierWait(Empty(block), Parity(block - L::kStages));
      }
      Bring(block, address);
    }
  }

  static constexpr int kRowsOfWarp = L::kRows / L::kGroupWarps;

  // Of the lane's row of a block; zero where there is none.
  WINNOW_DEVICE uint64_t AddressOf(int block) const {
    const int row = block * L::kRows + simt::Warp() % L::kGroupWarps * kRowsOfWarp + simt::Lane();
    if (simt::Lane() >= kRowsOfWarp || row >= count) return 0;
    return reinterpret_cast<uint64_t>(rows[row]);
  }

  WINNOW_DEVICE static void Bring(int block, uint64_t address) {
    std::byte* const to = Stage(block) + simt::Warp() % L::kGroupWarps * kRowsOfWarp * L::kRowBytes;
    const bool bulk = address != 0 && address % 16 == 0;
    const uint32_t bulks = simt::Ballot(bulk);
    constexpr uint32_t kAll = (1u << kRowsOfWarp) - 1;
    if (bulks != kAll) CopyOthers(to, address, kAll & ~bulks);
    if (simt::Lane() == 0) {
      simt::CopyBarrierArrive(Full(block), simt::PopCount(bulks) * L::kRowBytes);
    }
    if (bulk) {
      simt::CopyBulk(to + simt::Lane() * L::kRowBytes, reinterpret_cast<const std::byte*>(address),
                     L::kRowBytes, Full(block));
    }
  }

  // Rows that lie where no bulk copy can begin, and those that are not there.
  WINNOW_DEVICE static void CopyOthers(std::byte* to, uint64_t address, uint32_t others) {
    for (int row = 0; row < kRowsOfWarp; ++row) {
      const auto from = reinterpret_cast<const uint32_t*>(simt::Shuffle(address, row));
      if ((others >> row & 1) == 0) continue;
      auto* words = reinterpret_cast<uint32_t*>(to + row * L::kRowBytes);
      for (int i = simt::Lane(); i < L::kRowBytes / 4; i += 32) {
        words[i] = from != nullptr ? from[i] : 0;
      }
    }
    simt::PublishShared();  // as a later block's rows may be bulk copies to the same place
    simt::SyncWarp();
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FP8_ATTEND_ROWS_CUH_
