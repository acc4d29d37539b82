#include "kernels/cuda/score_plan.h"

#include <algorithm>
#include <bit>

namespace winnow::kernels::cuda {
namespace {

// Rows that share a reading of the keys: more make it longer than the reading by far.
constexpr int kMostRowsPerJob = 8;
// With fewer, the keys are read too often for the tensor cores to hide it.
constexpr int kEnoughRows = 4;
constexpr int kRegistersPerMultiprocessor = 65536;
constexpr int kScoreRegisters = 128;           // a thread, by the launch bounds
constexpr size_t kReservedSharedBytes = 1024;  // of each block, by CUDA
constexpr int kFilterThreads = 256;
constexpr int kFilterBlocks = 64;
constexpr int kSelectThreads = 1024;

int UnitsPerPage(int dim, bool by_groups) {
  return kPageEntries / 16 / TilesPerUnit(dim, by_groups);
}

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
      std::min<size_t>({rows, static_cast<size_t>(shape.most_rows), size_t{kMostRowsPerJob}}));
}

// As many warps as leave room for enough rows; whole groups.
int ChooseWarps(const DeviceLimits& limits, const ScoreShape& shape) {
  int best = 16;
  for (const int warps : {16, 8, 4, 2}) {
    if (limits.has_groups && warps < 4) break;
    const int rows = RowsThatFit(limits, shape, warps);
    if (rows >= std::min(shape.most_rows, kEnoughRows)) return warps;
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

uint64_t Weight(const ScoreJob& job) { return uint64_t{job.page_count} * job.rows; }

}  // namespace

std::string PlanScore(const DeviceLimits& limits, const ScoreShape& shape, ScorePlan* plan) {
  const int warps = ChooseWarps(limits, shape);
  plan->by_groups = limits.has_groups;
  plan->rows_per_job = RowsThatFit(limits, shape, warps);
  const size_t sort_bytes = kSelectMemoryBytes + std::bit_ceil(shape.most_k) * sizeof(CandidateKey);
  if (plan->rows_per_job == 0 || sort_bytes > limits.shared_bytes_per_block) {
    return "scoring " + std::to_string(shape.heads) + " heads of " + std::to_string(shape.dim) +
           " dims with k = " + std::to_string(shape.most_k) +
           " needs more shared memory than the " + std::to_string(limits.shared_bytes_per_block) +
           " bytes of a block on this device";
  }
  plan->score = {.threads = 32 * warps,
                 .shared_bytes = warps * WarpBytes(limits, shape) +
                                 plan->rows_per_job * RowBytesOfQuery(limits, shape)};
  plan->resident_blocks = limits.multiprocessors * BlocksPerMultiprocessor(limits, plan->score);
  plan->select = {.threads = kSelectThreads, .shared_bytes = sort_bytes};
  return "";
}

int DivideBlocks(const ScorePlan& plan, int dim, std::span<ScoreJob> jobs) {
  uint64_t weight = 0;
  for (const ScoreJob& job : jobs) weight += Weight(job);
  const uint64_t warps = plan.score.threads / 32;
  int blocks = 0;
  for (ScoreJob& job : jobs) {
    const uint64_t units = uint64_t{job.page_count} * UnitsPerPage(dim, plan.by_groups);
    const uint64_t share = Weight(job) * plan.resident_blocks / weight;
    job.first_block = blocks;
    job.blocks = static_cast<int>(std::clamp<uint64_t>(share, 1, (units + warps - 1) / warps));
    blocks += job.blocks;
  }
  return blocks;
}

LaunchShape PlanFilter(int rows, uint32_t most_pages) {
  return {.blocks_x = std::min(kFilterBlocks, static_cast<int>(most_pages + 3) / 4),
          .blocks_y = rows,
          .threads = kFilterThreads};
}

size_t ScoreWorkspaceBytesPerRow(uint32_t pages) {
  return (size_t{kPageEntries} * pages + kFilteredCapacity) * sizeof(CandidateKey);
}

}  // namespace winnow::kernels::cuda
