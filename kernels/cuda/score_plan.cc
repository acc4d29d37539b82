#include "kernels/cuda/score_plan.h"

#include <algorithm>

#include "kernels/cuda/score_block.h"
#include "kernels/cuda/select_memory.h"

namespace winnow::kernels::cuda {
namespace {

// With fewer, the keys are read too often for the tensor cores to hide it.
constexpr int kEnoughRows = 4;
constexpr int kRegistersPerMultiprocessor = 65536;
constexpr int kScoreRegisters = 128;           // a thread, by the launch bounds, without groups
constexpr size_t kReservedSharedBytes = 1024;  // of each block, by CUDA

// 16-bit values and fp32 weights, heads rounded up to those multiplied at once.
size_t RowBytesOfQuery(const DeviceLimits& limits, const ScoreShape& shape) {
  const size_t columns = limits.has_groups ? GroupColumns(shape.format, shape.heads) : 8;
  const size_t heads = (shape.heads + columns - 1) / columns * columns;
  return heads * (2 * shape.dim + sizeof(float));
}

// A block whose rows and stages are yet to be chosen.
struct BlockSize {
  size_t fixed_bytes;
  size_t stage_bytes;
  int few_stages;
  int many_stages;
};

BlockSize SizeOfGroups(const ScoreShape& shape) {
  return {.fixed_bytes = sizeof(ScoreMemory),
          .stage_bytes = KeyPageBytes(shape.format, shape.dim),
          .few_stages = GroupsOfBlock(shape.dim),
          .many_stages = kMostRingPages};
}

BlockSize SizeOfWarps(const ScoreShape& shape, int warps) {
  const size_t keys = size_t{16} * TilesPerUnit(shape.dim);
  return {.fixed_bytes = sizeof(ScoreMemory) + warps * kPlacesPerWarp * sizeof(PagePlace),
          .stage_bytes = warps * keys * KeyBytes(shape.format, shape.dim),
          .few_stages = kFewStages,
          .many_stages = kManyStages};
}

size_t BytesWith(const BlockSize& size, int stages) {
  return size.fixed_bytes + stages * size.stage_bytes;
}

int RowsThatFit(const DeviceLimits& limits, const ScoreShape& shape, const BlockSize& size) {
  const size_t others = BytesWith(size, size.few_stages);
  if (others >= limits.shared_bytes_per_block) return 0;
  const size_t rows = (limits.shared_bytes_per_block - others) / RowBytesOfQuery(limits, shape);
  return static_cast<int>(
      std::min<size_t>({rows, static_cast<size_t>(shape.most_rows), size_t{kMostRowsPerJob}}));
}

// As many warps as leave room for enough rows.
int ChooseWarps(const DeviceLimits& limits, const ScoreShape& shape) {
  int best = 16;
  const auto rows_with = [&](int warps) {
    return RowsThatFit(limits, shape, SizeOfWarps(shape, warps));
  };
  for (const int warps : {16, 8, 4, 2}) {
    if (rows_with(warps) >= std::min(shape.most_rows, kEnoughRows)) return warps;
    if (rows_with(warps) > rows_with(best)) best = warps;
  }
  return best;
}

// Few where many do not fit; in between, where any number will do.
int ChooseStages(const DeviceLimits& limits, const BlockSize& size, size_t row_bytes,
                 bool by_groups) {
  for (int stages = size.many_stages; stages > size.few_stages;
       stages -= by_groups ? size.few_stages : size.many_stages - size.few_stages) {
    if (BytesWith(size, stages) + row_bytes <= limits.shared_bytes_per_block) return stages;
  }
  return size.few_stages;
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
  plan->by_groups = limits.has_groups;
  const int threads = plan->by_groups ? GroupThreads(shape.dim) : 32 * ChooseWarps(limits, shape);
  const BlockSize size = plan->by_groups ? SizeOfGroups(shape) : SizeOfWarps(shape, threads / 32);
  plan->rows_per_job = RowsThatFit(limits, shape, size);
  const size_t sort_bytes =
      sizeof(SelectMemory) + SelectCapacity(shape.most_k) * sizeof(CandidateKey);
  if (plan->rows_per_job == 0 || sort_bytes > limits.shared_bytes_per_block) {
    return "scoring " + std::to_string(shape.heads) + " heads of " + std::to_string(shape.dim) +
           " dims with k = " + std::to_string(shape.most_k) +
           " needs more shared memory than the " + std::to_string(limits.shared_bytes_per_block) +
           " bytes of a block on this device";
  }
  const size_t row_bytes = plan->rows_per_job * RowBytesOfQuery(limits, shape);
  plan->stages = ChooseStages(limits, size, row_bytes, plan->by_groups);
  plan->score = {.threads = threads, .shared_bytes = BytesWith(size, plan->stages) + row_bytes};
  plan->resident_blocks =
      limits.multiprocessors * (plan->by_groups ? 1 : BlocksPerMultiprocessor(limits, plan->score));
  plan->select = {.threads = kSelectThreads, .shared_bytes = sort_bytes};
  return "";
}

int DivideBlocks(const ScorePlan& plan, int dim, std::span<ScoreJob> jobs) {
  uint64_t weight = 0;
  for (const ScoreJob& job : jobs) weight += Weight(job);
  // That a block scores at once.
  const int pages =
      plan.by_groups ? GroupsOfBlock(dim)
                     : std::max(1, plan.score.threads / 32 * TilesPerUnit(dim) * 16 / kPageEntries);
  int blocks = 0;
  for (ScoreJob& job : jobs) {
    const uint64_t share = Weight(job) * plan.resident_blocks / weight;
    job.first_block = blocks;
    job.blocks =
        static_cast<int>(std::clamp<uint64_t>(share, 1, (job.page_count + pages - 1) / pages));
    blocks += job.blocks;
  }
  return blocks;
}

size_t ScoreWorkspaceBytesPerRow(uint32_t pages) {
  return (size_t{kPageEntries} * pages + kListCapacity) * sizeof(CandidateKey);
}

}  // namespace winnow::kernels::cuda
