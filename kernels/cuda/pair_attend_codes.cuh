#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_CODES_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_CODES_CUH_

#include "kernels/cuda/fp8_attend_layout.h"
#include "kernels/cuda/pair_attend_bring.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// Brings FlashMLA's rows: codes become f16, exactly, without their scales. The codes and scales of
// a half are in registers before there is room for them.
struct PairAttendCodes : PairAttendBringer {
  static constexpr int kLineCodes = 16;
  static constexpr int kLines = L::kHalf / kLineCodes / kLanesOfRow;  // of a lane and pass
  static constexpr int kScalesAt = Fp8AttendLayout::kScalesAt;
  static constexpr int kRopeAt = Fp8AttendLayout::kRopeAt;

  // The lane's lines of codes; and, of halves without rope dims, the scales of the row that the
  // lane has the address of, the largest of them, and each over the largest (f16).
  struct Loaded {
    EightValues codes[kPasses][kLines];
    EightValues scales;
    float largest;
    uint32_t ratios[L::kScaleGroups / 2];
  };

  WINNOW_DEVICE explicit PairAttendCodes(const PairAttendRows& rows)
      : PairAttendBringer(rows, Fp8AttendLayout::kRowBytes) {}

  WINNOW_DEVICE void BringAll() {
    Loaded loaded;
    PairHalf half = {0};
    if (Has(half)) Load(half, loaded);
    while (Has(half)) {
      if (!half.HasRope()) FindRatios(loaded);
      AwaitEmpty(half);
      if (half.HasRope()) BringRope(half);
      PutCodes(half, loaded);
      if (!half.HasRope()) PutScales(half, loaded);
      simt::CopyAsyncWait<0>();
      SayFull(half);
      half = After(half);
      if (Has(half)) Load(half, loaded);
    }
  }

  WINNOW_DEVICE void Load(PairHalf half, Loaded& loaded) {
    MoveTo(half);
    if (aligned) {
      LoadHalf<true>(half, loaded);
    } else {
      LoadHalf<false>(half, loaded);
    }
  }
  template <bool kAligned>
  WINNOW_DEVICE void LoadHalf(PairHalf half, Loaded& loaded) const {
    const auto load = [](uint64_t row, int at) {
      return kAligned ? LoadAlignedLine(row, at) : LoadLine(row, at);
    };
    const int at = half.Half() * L::kHalf + simt::Lane() / 8 * kLineCodes;
    WINNOW_UNROLL
    for (int pass = 0; pass < kPasses; ++pass) {
      const uint64_t row = RowOf(half, pass);
      WINNOW_UNROLL
      for (int i = 0; i < kLines; ++i) {
        loaded.codes[pass][i] = load(row, at + i * kLanesOfRow * kLineCodes);
      }
    }
    if (!half.HasRope()) loaded.scales = load(addresses, kScalesAt);
  }

  WINNOW_DEVICE void PutCodes(PairHalf half, const Loaded& loaded) const {
    std::byte* const line =
        LineIn(PairAttendRows::Half(half.Block(), half.Half())) + simt::Lane() / 8 * L::kStepBytes;
    WINNOW_UNROLL
    for (int i = 0; i < kPasses * kLines; ++i) {
      const EightValues& codes = loaded.codes[i / kLines][i % kLines];
      EightValues values[2];
      WINNOW_UNROLL
      for (int w = 0; w < 4; ++w) {
        uint32_t* const words = &values[w / 2].words[w % 2 * 2];
        simt::E4m3QuadToF16x2(codes.words[w], &words[0], &words[1]);
      }
      auto* to = reinterpret_cast<EightValues*>(line + i / kLines * L::kTileBytes +
                                                i % kLines * kLanesOfRow * L::kStepBytes);
      to[0] = values[0];
      to[L::kHalfBytes / 16] = values[1];
    }
  }

  WINNOW_DEVICE void BringRope(PairHalf half) const {
    std::byte* const tiles = PairAttendRows::Rope(half.Block());
    if (aligned) {
      Copy<true, 2 * L::kRope>(half, kRopeAt, tiles);
    } else {
      Copy<false, 2 * L::kRope>(half, kRopeAt, tiles);
    }
    simt::CopyAsyncCommit();
  }

  WINNOW_DEVICE static void FindRatios(Loaded& loaded) {
    const auto& scales = loaded.scales.words;
    loaded.largest = 0;
    WINNOW_UNROLL
    for (const uint32_t scale : scales) {
      loaded.largest = simt::Max(loaded.largest, simt::AsFloat(scale & 0x7fffffffu));
    }
    const float divisor = loaded.largest > 0 ? loaded.largest : 1.0f;
    WINNOW_UNROLL
    for (int i = 0; i < L::kScaleGroups / 2; ++i) {
      loaded.ratios[i] = simt::PackF16x2(simt::Divide(simt::AsFloat(scales[2 * i]), divisor),
                                         simt::Divide(simt::AsFloat(scales[2 * i + 1]), divisor));
    }
  }

  WINNOW_DEVICE void PutScales(PairHalf half, const Loaded& loaded) const {
    if (simt::Lane() / kRowsOfWarp != half.number % 2) return;
    const int row = first_row + simt::Lane() % kRowsOfWarp;
    std::byte* const to = PairAttendRows::Scales(half.Block());
    auto* const scales = reinterpret_cast<float*>(to) + row;
    auto* const ratios = reinterpret_cast<uint16_t*>(to + L::kRatiosAt) + row;
    reinterpret_cast<float*>(to + L::kLargestAt)[row] = loaded.largest;
    WINNOW_UNROLL
    for (int group = 0; group < L::kScaleGroups; ++group) {
      scales[group * L::kRows] = simt::AsFloat(loaded.scales.words[group]);
      ratios[group * L::kRows] =
          static_cast<uint16_t>(loaded.ratios[group / 2] >> (group % 2 * 16));
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_CODES_CUH_
