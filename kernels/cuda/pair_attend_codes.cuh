#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_CODES_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_CODES_CUH_

#include "kernels/cuda/fp8_attend_layout.h"
#include "kernels/cuda/pair_attend_bring.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// Brings FlashMLA's rows: codes become f16, exactly, without their scales. What the first passes
// load is in registers before there is room for it.
struct PairAttendCodes : PairAttendBringer {
  using PairAttendBringer::PairAttendBringer;

  static constexpr int kLineCodes = 16;
  static constexpr int kLines = L::kHalf / kLineCodes / kLanesOfRow;  // of a lane and pass
  static constexpr int kBatch = 2;                                    // passes
  static constexpr int kScalesAt = Fp8AttendLayout::kScalesAt;
  static constexpr int kRopeAt = Fp8AttendLayout::kRopeAt;
  using Batch = EightValues[kBatch][kLines];

  WINNOW_DEVICE void BringAll() const {
    Addresses addresses = Find(stage);
    Batch codes;
    Load(addresses, addresses.AllAligned(), 0, codes);
    for (int block = stage; source.Has(block); block += 2) {
      const Addresses next = Find(block + 2);
      Prefetch(next, half * L::kHalf, L::kHalf);
      Prefetch(next, with_rope ? kRopeAt : kScalesAt, with_rope ? 2 * L::kRope : 16);
      const bool aligned = addresses.AllAligned();
      AwaitEmpty(block);
      if (with_rope) {
        BringRope(addresses, aligned, block);
      } else {
        BringScales(addresses, aligned, block);
      }
      for (int pass = 0; pass < kPasses; pass += kBatch) {
        Put(codes, block, pass);
        if (pass + kBatch < kPasses) Load(addresses, aligned, pass + kBatch, codes);
      }
      SayFull(block);
      addresses = next;
      Load(addresses, addresses.AllAligned(), 0, codes);
    }
  }

  // Codes of the passes from `first` on.
  WINNOW_DEVICE void Load(const Addresses& addresses, bool aligned, int first, Batch& codes) const {
    const int at = half * L::kHalf + simt::Lane() / 8 * kLineCodes;
    uint64_t rows[kBatch];
    WINNOW_UNROLL
    for (int i = 0; i < kBatch; ++i) rows[i] = addresses.OfPass(first + i);
    if (aligned) {
      WINNOW_UNROLL
      for (int i = 0; i < kBatch * kLines; ++i) {
        codes[i / kLines][i % kLines] =
            LoadAlignedLine(rows[i / kLines], at + i % kLines * kLanesOfRow * kLineCodes);
      }
    } else {
      WINNOW_UNROLL
      for (int i = 0; i < kBatch * kLines; ++i) {
        codes[i / kLines][i % kLines] =
            LoadLine(rows[i / kLines], at + i % kLines * kLanesOfRow * kLineCodes);
      }
    }
  }

  WINNOW_DEVICE void Put(const Batch& codes, int block, int first) const {
    std::byte* const line = PairAttendRows::Half(block, half) + simt::Lane() / 8 * L::kStepBytes +
                            simt::Lane() % 8 * 16;
    WINNOW_UNROLL
    for (int i = 0; i < kBatch * kLines; ++i) {
      const EightValues& of_line = codes[i / kLines][i % kLines];
      EightValues values[2];
      WINNOW_UNROLL
      for (int w = 0; w < 4; ++w) {
        uint32_t* const words = &values[w / 2].words[w % 2 * 2];
        simt::E4m3QuadToF16x2(of_line.words[w], &words[0], &words[1]);
      }
      auto* to = reinterpret_cast<EightValues*>(line + (first + i / kLines) * L::kTileBytes +
                                                i % kLines * kLanesOfRow * L::kStepBytes);
      to[0] = values[0];
      to[L::kHalfBytes / 16] = values[1];
    }
  }

  WINNOW_DEVICE static void BringRope(const Addresses& addresses, bool aligned, int block) {
    std::byte* const line =
        PairAttendRows::Rope(block) + simt::Lane() / 8 * L::kHalfBytes + simt::Lane() % 8 * 16;
    const int at = kRopeAt + simt::Lane() / 8 * 16;
    constexpr int kRopeLines = L::kRope / 8 / kLanesOfRow;
    WINNOW_UNROLL_BY(4)
    for (int pass = 0; pass < kPasses; ++pass) {
      const uint64_t row = addresses.OfPass(pass);
      WINNOW_UNROLL
      for (int i = 0; i < kRopeLines; ++i) {
        const int from = at + i * kLanesOfRow * 16;
        *reinterpret_cast<EightValues*>(line + pass * L::kTileBytes +
                                        i * kLanesOfRow * L::kHalfBytes) =
            aligned ? LoadAlignedLine(row, from) : LoadLine(row, from);
      }
    }
  }

  // Each row's scales, the largest of them, and each over the largest.
  WINNOW_DEVICE static void BringScales(const Addresses& addresses, bool aligned, int block) {
    std::byte* const to = PairAttendRows::Scales(block);
    auto* const scales = reinterpret_cast<float*>(to);
    auto* const ratios = reinterpret_cast<uint16_t*>(to + L::kRatiosAt);
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      const int row = 32 * i + simt::Lane();
      const EightValues line = aligned ? LoadAlignedLine(addresses.rows[i], kScalesAt)
                                       : LoadLine(addresses.rows[i], kScalesAt);
      float largest = 0;
      WINNOW_UNROLL
      for (int group = 0; group < L::kScaleGroups; ++group) {
        scales[group * L::kRows + row] = simt::AsFloat(line.words[group]);
        largest = simt::Max(largest, simt::AsFloat(line.words[group] & 0x7fffffffu));
      }
      reinterpret_cast<float*>(to + L::kLargestAt)[row] = largest;
      WINNOW_UNROLL
      for (int group = 0; group < L::kScaleGroups; ++group) {
        const float ratio =
            largest > 0 ? simt::Divide(simt::AsFloat(line.words[group]), largest) : 0.0f;
        ratios[group * L::kRows + row] = static_cast<uint16_t>(simt::PackF16x2(ratio, 0));
      }
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_CODES_CUH_
