#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_SOFTMAX_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_SOFTMAX_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/group_attend_tiles.cuh"
#include "kernels/cuda/pair_attend_place.cuh"
#include "kernels/cuda/pair_attend_rows.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// The streaming softmax of a group's heads over its own blocks of rows, and what it needs of the
// other group's: probabilities relative to references of that group, times the other's unit.
// References are whole numbers, so that what one group's are to the other's is a power of two.
template <RowFormat kFormat>
struct PairAttendSoftmax {
  using L = PairAttendLayout;
  using Place = PairAttendPlace;
  using Logit = Place::Logit;
  static constexpr bool kScaled = kFormat == RowFormat::kFp8FlashMla;
  // As fp8_attend_softmax.cuh has it; bf16 holds what any scale leaves.
  static constexpr float kSlack = kScaled ? 3 : 8;
  static constexpr uint32_t kScaleTop = 12;

  const Place& at;
  float query_scales[2];
  uint32_t exponent = 20;  // of the largest scale so far, at least 20
  float references[2] = {MinusInfinity(), MinusInfinity()};  // in units of log 2
  // Of the lane's rows: probabilities, and what was left of them by rounding, which is what outputs
  // are divided by, so that they are averages.
  float sums[2] = {};
  float weights[2] = {};

  WINNOW_DEVICE explicit PairAttendSoftmax(const Place& place) : at(place) {
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) query_scales[i] = Place::Floats(L::kQueryScales)[at.Head(i)];
  }

  // Logits to units of log 2; those of rows beyond the `rows_left` to minus infinity.
  WINNOW_DEVICE void Scale(int rows_left, Logit& logits) const {
    WINNOW_UNROLL
    for (int i = 0; i < 4 * Place::kRowTiles; ++i) {
      logits[i / 4][i % 4] = simt::Mul(logits[i / 4][i % 4], query_scales[i % 4 / 2]);
    }
    if (rows_left >= L::kRows) return;
    WINNOW_UNROLL
    for (int i = 0; i < 4 * Place::kRowTiles; ++i) {
      const int row = i / 4 * 8 + Place::InTile() + i % 2;
      if (row >= rows_left) logits[i / 4][i % 4] = MinusInfinity();
    }
  }

  // The nearest whole number; what has no more than one binary digit after the point, as it is.
  WINNOW_DEVICE static float Whole(float x) {
    constexpr float kUnits = 12582912;  // 1.5 * 2^23
    const float magnitude = simt::AsFloat(simt::AsBits(x) & 0x7fffffffu);
    return magnitude < 4194304 ? simt::Add(simt::Add(x, kUnits), -kUnits) : x;
  }

  WINNOW_DEVICE static FloatPair LargestScales(int block, int tile) {
    return *reinterpret_cast<const FloatPair*>(PairAttendRows::Scales(block) + L::kLargestAt +
                                               4 * (8 * tile + Place::InTile()));
  }

  // The exponent of the largest scale so far and of a block.
  WINNOW_DEVICE uint32_t RaisedExponent(int block) const {
    if constexpr (!kScaled) return exponent;
    float most = 0;
    WINNOW_UNROLL
    for (int tile = 0; tile < Place::kRowTiles; ++tile) {
      const FloatPair of_rows = LargestScales(block, tile);
      most = simt::Max(most, simt::Max(of_rows.first, of_rows.second));
    }
    most = ReduceHead(most, [](float a, float b) { return simt::Max(a, b); });
    const uint32_t of_block = simt::AsBits(most) >> 23;
    return exponent > of_block ? exponent : of_block;
  }

  // References that a logit exceeds by more than kSlack become that logit; the exponent follows the
  // largest scale. True if outputs are to shrink, by `factors`; so for a whole warp.
  WINNOW_DEVICE bool Raise(int block, const Logit& logits, float (&factors)[2]) {
    float raised[2];
    bool rises = false;
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      float most = logits[0][2 * i];
      WINNOW_UNROLL
      for (int k = 0; k < 2 * Place::kRowTiles; ++k) {
        most = simt::Max(most, logits[k / 2][2 * i + k % 2]);
      }
      most = ReduceHead(most, [](float a, float b) { return simt::Max(a, b); });
      // By the difference, as a probability is.
      const bool rise = simt::Add(most, -references[i]) > kSlack;
      raised[i] = rise ? Whole(most) : references[i];
      rises = rises || rise;
    }
    const uint32_t risen = RaisedExponent(block);
    if (simt::Ballot(rises || risen > exponent) == 0) return false;
    RaiseTo(raised, risen, factors);
    return true;
  }

  WINNOW_DEVICE void RaiseTo(const float (&raised)[2], uint32_t risen, float (&factors)[2]) {
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      const float rise = raised[i] == references[i] ? 0.0f : simt::Add(references[i], -raised[i]);
      const float factor = simt::Exp2(rise);
      sums[i] = simt::Mul(sums[i], factor);
      weights[i] = simt::Mul(weights[i], factor);
      references[i] = raised[i];
      factors[i] = simt::Exp2(simt::Add(rise, -static_cast<float>(risen - exponent)));
    }
    exponent = risen;
  }

  // What a probability times its row's scale is multiplied by.
  WINNOW_DEVICE float Unit() const { return simt::AsFloat((253 + kScaleTop - exponent) << 23); }
  WINNOW_DEVICE float InverseUnit() const {
    return kScaled ? simt::AsFloat((exponent + 1 - kScaleTop) << 23) : 1.0f;
  }

  // Logits to probabilities, as products take them: times the rows' largest scales.
  WINNOW_DEVICE void ToProbabilities(int block, const Logit& logits, Place::Probabilities& p) {
    WINNOW_UNROLL
    for (int tile = 0; tile < Place::kRowTiles; ++tile) {
      FloatPair scales = {1, 1};
      if constexpr (kScaled) {
        scales = LargestScales(block, tile);
        scales = {simt::Mul(scales.first, Unit()), simt::Mul(scales.second, Unit())};
      }
      WINNOW_UNROLL
      for (int i = 0; i < 2; ++i) {
        const float first = simt::Exp2(simt::Add(logits[tile][2 * i], -references[i]));
        const float second = simt::Exp2(simt::Add(logits[tile][2 * i + 1], -references[i]));
        uint32_t& packed = p[tile / 2][tile % 2 * 2 + i];
        sums[i] = simt::Add(sums[i], simt::Add(first, second));
        if constexpr (kScaled) {
          packed =
              simt::PackF16x2(simt::Mul(first, scales.first), simt::Mul(second, scales.second));
        } else {
          packed = simt::PackBf16x2(first, second);
          weights[i] = simt::Add(weights[i], simt::Add(simt::AsFloat(packed << 16),
                                                       simt::AsFloat(packed & 0xffff0000u)));
        }
      }
    }
  }

  WINNOW_DEVICE EightValues* Shared(int block) const {
    return reinterpret_cast<EightValues*>(PairAttendRows::Rope(block)) +
           simt::ThreadInBlock() % L::kGroupThreads;
  }

  // Leaves this group's probabilities for the other, once its logits are done.
  WINNOW_DEVICE void Give(int block, const Place::Probabilities& p) const {
    WINNOW_UNROLL
    for (int step = 0; step < Place::kRowSteps; ++step) {
      Shared(block)[step * L::kGroupThreads] = {{p[step][0], p[step][1], p[step][2], p[step][3]}};
    }
    if (Place::IsFirstOfHead()) {
      WINNOW_UNROLL
      for (int i = 0; i < 2; ++i) {
        Place::OfGroup(L::kReferences, at.group)[at.Head(i)] = references[i];
      }
    }
    if (simt::ThreadInBlock() % L::kGroupThreads == 0) *Place::Exponent(at.group) = exponent;
    simt::SyncWarp();
    if (simt::Lane() == 0) simt::CopyBarrierArrive(PairAttendRows::Given(at.group), 0);
  }

  // The other group's probabilities, in this one's units, which rise where the other's are higher.
  // True if outputs are to shrink, by `factors`; so for a whole warp.
  WINNOW_DEVICE bool Take(int block, Place::Probabilities& p, float (&factors)[2]) {
    simt::CopyBarrierWait(PairAttendRows::Given(1 - at.group), PairAttendRows::Parity(block));
    WINNOW_UNROLL
    for (int step = 0; step < Place::kRowSteps; ++step) {
      const EightValues words = Shared(block)[step * L::kGroupThreads];
      WINNOW_UNROLL
      for (int i = 0; i < 4; ++i) p[step][i] = words.words[i];
    }
    const uint32_t other_exponent = *Place::Exponent(1 - at.group);
    const uint32_t risen = exponent > other_exponent ? exponent : other_exponent;
    float raised[2], units[2];
    bool rises = risen > exponent, differs = false;
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      const float other = Place::OfGroup(L::kReferences, 1 - at.group)[at.Head(i)];
      raised[i] = simt::Max(references[i], other);
      rises = rises || raised[i] > references[i];
      units[i] = simt::Exp2(
          simt::Add(simt::Add(other, -raised[i]), -static_cast<float>(risen - other_exponent)));
      differs = differs || units[i] != 1;
    }
    if (simt::Ballot(differs) != 0) Multiply(units, p);
    if (simt::Ballot(rises) == 0) return false;
    RaiseTo(raised, risen, factors);
    return true;
  }

  // By powers of two up to 1.
  WINNOW_DEVICE static void Multiply(const float (&units)[2], Place::Probabilities& p) {
    // The least that f16 has all digits of; what is less is multiplied in two steps.
    constexpr float kLeast = 0x1p-14f;
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      const bool is_less = kScaled && units[i] < kLeast;
      MultiplyHead(is_less ? kLeast : units[i], i, p);
      if (is_less) MultiplyHead(simt::Mul(units[i], 1 / kLeast), i, p);
    }
  }
  WINNOW_DEVICE static void MultiplyHead(float unit, int head, Place::Probabilities& p) {
    const uint32_t units = kScaled ? simt::PackF16x2(unit, unit) : simt::PackBf16x2(unit, unit);
    WINNOW_UNROLL
    for (int k = 0; k < 2 * Place::kRowSteps; ++k) {
      uint32_t& pair = p[k / 2][k % 2 * 2 + head];
      pair = kScaled ? simt::MultiplyF16x2(pair, units) : simt::MultiplyBf16x2(pair, units);
    }
  }

  // LSEs to `lse` [heads], of which so many are there, and what each head's outputs are to be
  // multiplied by.
  WINNOW_DEVICE void Finish(bool any_rows, float* lse, int heads, float (&factors)[2]) const {
    const auto add = [](float a, float b) { return simt::Add(a, b); };
    Place::Sync();
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      const float sum = ReduceHead(sums[i], add);
      const float weight = kScaled ? sum : ReduceHead(weights[i], add);
      if (!Place::IsFirstOfHead()) continue;
      Place::OfGroup(L::kSums, at.group)[at.Head(i)] = sum;
      Place::OfGroup(L::kWeights, at.group)[at.Head(i)] = weight;
      Place::OfGroup(L::kReferences, at.group)[at.Head(i)] = references[i];
    }
    Place::Sync();
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      float sum = 0, weight = 0;
      const float other = Place::OfGroup(L::kReferences, 1 - at.group)[at.Head(i)];
      const float reference = simt::Max(references[i], other);
      WINNOW_UNROLL
      for (int group = 0; group < 2; ++group) {
        const float of_group = group == at.group ? references[i] : other;
        const float factor = simt::Exp2(simt::Add(of_group, -reference));
        sum = simt::Fma(Place::OfGroup(L::kSums, group)[at.Head(i)], factor, sum);
        weight = simt::Fma(Place::OfGroup(L::kWeights, group)[at.Head(i)], factor, weight);
      }
      const float unit = simt::Mul(simt::Exp2(simt::Add(references[i], -reference)), InverseUnit());
      factors[i] = any_rows ? simt::Divide(unit, weight) : 0.0f;
      if (at.group != 0 || !Place::IsFirstOfHead() || at.Head(i) >= heads) continue;
      constexpr float kLogOf2 = 0.693147181f;
      lse[at.Head(i)] = any_rows ? simt::Fma(reference, kLogOf2, simt::Log(sum)) : MinusInfinity();
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_SOFTMAX_CUH_
