#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <limits>

#include "kernels/cpu/attend_tasks.h"
#include "kernels/cpu/free_list.h"
#include "kernels/cpu/score_scan.h"

namespace winnow::kernels {
namespace {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const CpuVariant& variant) : variant_(variant) {}

  std::string_view name() const override { return variant_.name; }

  void ScoreTopK(const ScoreTopKParams& params, WorkerPool& pool,
                 ScoreTopKResult* result) const override {
    FreeList<ScanMemory>::Loan memory(&scan_memories_);
    ScanPages(variant_, params, pool, &*memory, result);
  }

  void SparseAttention(const AttendParams& params, WorkerPool& pool) const override {
    if (params.row_count == 0) {
      std::fill_n(params.outputs, static_cast<size_t>(params.heads) * params.latent_dim, 0.0f);
      std::fill_n(params.lse, params.heads, -std::numeric_limits<float>::infinity());
      return;
    }
    FreeList<AttendMemory>::Loan memory(&attend_memories_);
    AttendInTasks(variant_, params, pool, &*memory);
  }

 private:
  const CpuVariant& variant_;
  mutable FreeList<ScanMemory> scan_memories_;
  mutable FreeList<AttendMemory> attend_memories_;
};

}  // namespace

const Backend* MakeCpuBackend(const CpuVariant& variant) { return new CpuBackend(variant); }

}  // namespace winnow::kernels
