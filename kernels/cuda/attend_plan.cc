#include <algorithm>
#include <utility>

#include "kernels/cuda/fp8_attend_layout.h"
#include "kernels/cuda/pair_attend_layout.h"
#include "kernels/cuda/sparse_attention.h"

namespace winnow::kernels::cuda {
namespace {

// A split's part is written and read again, so it should be worth some multiplying.
constexpr int kLeastRowsPerSplit = 64;
constexpr size_t kReservedSharedBytes = 1024;  // of each block, by CUDA
constexpr int kBlocksByRegisters = 2;          // a multiprocessor, by the launch bounds

// With how many rows multiplied at once: the first that fits the shape and a block's memory.
constexpr std::pair<AttendWay, int> kWays[] = {{AttendWay::kPair, PairAttendLayout::kRows},
                                               {AttendWay::kCodes, Fp8AttendLayout::kRows},
                                               {AttendWay::kGroups, 64},
                                               {AttendWay::kGroups, 32},
                                               {AttendWay::kWarps, 32},
                                               {AttendWay::kWarps, 16}};

std::string CheckShape(const AttendShape& s) {
  const int latent_step = s.format == RowFormat::kFp8FlashMla ? kLatentScaleGroup : 32;
  if (s.latent_dim < 32 || s.latent_dim > kMaxLatentDim || s.latent_dim % latent_step != 0) {
    return "attention over " + std::to_string(s.latent_dim) + " latent dims; these kernels take " +
           "multiples of " + std::to_string(latent_step) + " up to " +
           std::to_string(kMaxLatentDim);
  }
  if (s.rope_dim < 0 || s.rope_dim > kMaxRopeDim || s.rope_dim % 16 != 0) {
    return "attention over " + std::to_string(s.rope_dim) +
           " rope dims; these kernels take multiples of 16 up to " + std::to_string(kMaxRopeDim);
  }
  if (s.heads < 1 || s.heads > kMaxQueryHeads || s.queries < 1 || s.queries > kMaxQueryRows) {
    return "attention with " + std::to_string(s.heads) + " heads and " + std::to_string(s.queries) +
           " query rows; at most " + std::to_string(kMaxQueryHeads) + " and " +
           std::to_string(kMaxQueryRows) + " are possible";
  }
  return "";
}

bool Fits(const DeviceLimits& limits, const AttendShape& s, AttendWay way) {
  switch (way) {
    case AttendWay::kPair:
      return limits.has_groups && s.latent_dim == PairAttendLayout::kLatent &&
             s.rope_dim == PairAttendLayout::kRope &&
             !(limits.attends_by_codes && s.format == RowFormat::kFp8FlashMla);
    case AttendWay::kCodes:
      return limits.has_groups && s.format == RowFormat::kFp8FlashMla &&
             s.latent_dim == Fp8AttendLayout::kLatent && s.rope_dim == Fp8AttendLayout::kRope;
    case AttendWay::kGroups:
      return limits.has_groups && (s.latent_dim == 256 || s.latent_dim == 512);
    case AttendWay::kWarps:
      return true;
  }
  return false;
}

int HeadsPerBlock(int latent_dim, AttendWay way) {
  return way == AttendWay::kWarps ? 16 * HeadTilesPerBlock(latent_dim) : kGroupHeads;
}

int ThreadsOf(AttendWay way) {
  switch (way) {
    case AttendWay::kPair:
      return PairAttendLayout::kThreads;
    case AttendWay::kCodes:
      return Fp8AttendLayout::kThreads;
    case AttendWay::kGroups:
    case AttendWay::kWarps:
      return 32 * kAttendWarps;
  }
  return 0;
}

AttendMemory LayOutAttendMemory(const AttendShape& s, AttendWay way, int row_block) {
  AttendMemory m{};
  if (way == AttendWay::kCodes || way == AttendWay::kPair) {
    m.bytes = way == AttendWay::kCodes ? Fp8AttendLayout::kBytes : PairAttendLayout::kBytes;
    return m;
  }
  const bool by_groups = way == AttendWay::kGroups;
  const int width = s.latent_dim + s.rope_dim;
  const bool fp8 = s.format == RowFormat::kFp8FlashMla;
  const int groups = fp8 ? s.latent_dim / kLatentScaleGroup : 1;
  const int row_bytes = fp8 ? s.latent_dim + 4 * groups + 2 * s.rope_dim : 2 * width;
  const int heads = HeadsPerBlock(s.latent_dim, way);
  m.value_stride = 2 * width + (by_groups ? 0 : 16);
  m.raw_stride = (row_bytes + 15) / 16 * 16;
  m.score_stride = row_block + 4;
  m.groups = groups;
  m.values = m.queries + heads * m.value_stride;
  m.raw = m.values + row_block * m.value_stride;
  m.scores = m.raw + row_block * m.raw_stride;
  m.scales = m.scores + heads * m.score_stride * 4 * (by_groups ? 2 : 1);
  m.factors = m.scales + groups * row_block * 4;
  m.largest = m.factors + heads * 4;
  m.sums = m.largest + heads * 4;
  m.bytes = m.sums + heads * 4;
  return m;
}

int ChooseSplits(const DeviceLimits& limits, const AttendShape& shape, const AttendPlan& plan,
                 int blocks) {
  const int by_memory = static_cast<int>(limits.shared_bytes_per_multiprocessor /
                                         (plan.attend.shared_bytes + kReservedSharedBytes));
  const int resident = limits.multiprocessors * std::clamp(by_memory, 1, kBlocksByRegisters);
  const auto parts = static_cast<int>(shape.most_rows / kLeastRowsPerSplit);
  const int useful = std::min(kMostSplits, parts);
  return std::max(1, std::min(resident / blocks, useful));
}

}  // namespace

std::string PlanAttend(const DeviceLimits& limits, const AttendShape& shape, AttendPlan* plan) {
  if (std::string error = CheckShape(shape); !error.empty()) return error;
  size_t bytes = 0;
  for (const auto& [way, row_block] : kWays) {
    if (!Fits(limits, shape, way)) continue;
    plan->way = way;
    plan->row_block = row_block;
    plan->memory = LayOutAttendMemory(shape, way, row_block);
    bytes = plan->memory.bytes;
    if (bytes <= limits.shared_bytes_per_block) break;
  }
  if (bytes > limits.shared_bytes_per_block) {
    return "attention over " + std::to_string(shape.latent_dim + shape.rope_dim) + " dims needs " +
           std::to_string(bytes) + " bytes of shared memory; a block has " +
           std::to_string(limits.shared_bytes_per_block) + " on this device";
  }
  const int heads_per_block = HeadsPerBlock(shape.latent_dim, plan->way);
  const int head_blocks = (shape.heads + heads_per_block - 1) / heads_per_block;
  plan->attend = {.threads = ThreadsOf(plan->way), .shared_bytes = bytes};
  plan->splits = ChooseSplits(limits, shape, *plan, head_blocks * shape.queries);
  plan->attend.blocks_x = head_blocks * plan->splits;
  plan->attend.blocks_y = shape.queries;
  plan->merge = {.blocks_x = shape.heads,
                 .blocks_y = shape.queries,
                 .threads = kMergeShares * ((shape.latent_dim / 4 + 31) / 32 * 32),
                 .shared_bytes = (kMostSplits + kMergeShares * shape.latent_dim) * sizeof(float)};
  return "";
}

}  // namespace winnow::kernels::cuda
