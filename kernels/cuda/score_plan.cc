#include <algorithm>
#include <bit>

#include "kernels/cuda/score_topk.h"

namespace winnow::kernels::cuda {
namespace {

// Rows that share a pass: more make it longer than the reading by far.
constexpr int kMostRowsPerPass = 8;
// With fewer, the keys are read too often for the tensor cores to hide it.
constexpr int kEnoughRows = 4;
constexpr int kRegistersPerMultiprocessor = 65536;
constexpr int kScoreRegisters = 128;           // a thread, by the launch bounds
constexpr size_t kReservedSharedBytes = 1024;  // of each block, by CUDA
constexpr int kFilterThreads = 256;
constexpr int kFilterBlocks = 64;
constexpr int kSelectThreads = 1024;

size_t WarpBytes(const DeviceLimits& limits, const ScoreShape& shape) {
  const size_t keys = size_t{16} * TilesPerUnit(shape.dim, limits.has_groups);
  return kStagesPerWarp * keys * KeyBytes(shape.format, shape.dim);
}

// bf16 values and fp32 weights, heads rounded up to those multiplied at once.
size_t RowBytesOfQuery(const DeviceLimits& limits, const ScoreShape& shape) {
  const size_t columns = limits.has_groups ? GroupColumns(shape.heads) : 8;
  const size_t heads = (shape.heads + columns - 1) / columns * columns;
  return heads * (2 * shape.dim + sizeof(float));
}

int RowsThatFit(const DeviceLimits& limits, const ScoreShape& shape, int warps) {
  const size_t stages = warps * WarpBytes(limits, shape);
  if (stages >= limits.shared_bytes_per_block) return 0;
  const size_t rows = (limits.shared_bytes_per_block - stages) / RowBytesOfQuery(limits, shape);
  return static_cast<int>(
      std::min<size_t>({rows, static_cast<size_t>(shape.rows), size_t{kMostRowsPerPass}}));
}

// As many warps as leave room for enough rows; whole groups.
int ChooseWarps(const DeviceLimits& limits, const ScoreShape& shape) {
  int best = 16;
  for (const int warps : {16, 8, 4, 2}) {
    if (limits.has_groups && warps < 4) break;
    const int rows = RowsThatFit(limits, shape, warps);
    if (rows >= std::min(shape.rows, kEnoughRows)) return warps;
    if (rows > RowsThatFit(limits, shape, best)) best = warps;
  }
  return best;
}

int BlocksPerMultiprocessor(const DeviceLimits& limits, const LaunchShape& launch) {
  const int by_registers = kRegistersPerMultiprocessor / (launch.threads * kScoreRegisters);
  const size_t by_memory =
      limits.shared_bytes_per_multiprocessor / (launch.shared_bytes + kReservedSharedBytes);
  return std::max(1, std::min(by_registers, static_cast<int>(by_memory)));
}

}  // namespace

std::string PlanScore(const DeviceLimits& limits, const ScoreShape& shape, ScorePlan* plan) {
  const int warps = ChooseWarps(limits, shape);
  plan->rows_per_pass = RowsThatFit(limits, shape, warps);
  const size_t sort_bytes = kSelectMemoryBytes + std::bit_ceil(shape.k) * sizeof(CandidateKey);
  if (plan->rows_per_pass == 0 || sort_bytes > limits.shared_bytes_per_block) {
    return "scoring " + std::to_string(shape.heads) + " heads of " + std::to_string(shape.dim) +
           " dims with k = " + std::to_string(shape.k) + " needs more shared memory than the " +
           std::to_string(limits.shared_bytes_per_block) + " bytes of a block on this device";
  }
  plan->by_groups = limits.has_groups;
  const uint32_t units =
      shape.pages * (kPageEntries / 16 / TilesPerUnit(shape.dim, limits.has_groups));
  plan->score = {.threads = 32 * warps,
                 .shared_bytes = warps * WarpBytes(limits, shape) +
                                 plan->rows_per_pass * RowBytesOfQuery(limits, shape)};
  const int most = limits.multiprocessors * BlocksPerMultiprocessor(limits, plan->score);
  plan->score.blocks_x = std::max(1, std::min<int>(most, (units + warps - 1) / warps));
  plan->filter = {.blocks_x = std::min(kFilterBlocks, static_cast<int>(shape.pages + 3) / 4),
                  .blocks_y = plan->rows_per_pass,
                  .threads = kFilterThreads};
  plan->select = {
      .blocks_x = plan->rows_per_pass, .threads = kSelectThreads, .shared_bytes = sort_bytes};
  return "";
}

size_t ScoreWorkspaceBytesPerRow(uint32_t pages) {
  const size_t candidates = size_t{kPageEntries} * pages + kFilteredCapacity;
  return sizeof(RowState) + candidates * sizeof(CandidateKey);
}

}  // namespace winnow::kernels::cuda
