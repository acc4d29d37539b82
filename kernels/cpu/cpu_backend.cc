#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <limits>

#include "kernels/cpu/free_list.h"
#include "kernels/cpu/score_scan.h"
#include "kernels/cpu/scratch.h"

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
    const int tasks = (params.heads + kAttendHeads - 1) / kAttendHeads;
    pool.ParallelFor(tasks, [&](int task, int) {
      thread_local Scratch scratch;
      const int first = task * kAttendHeads;
      variant_.attend(params, first, std::min(kAttendHeads, params.heads - first),
                      scratch.Get(variant_.attend_scratch_bytes(params)));
    });
  }

 private:
  const CpuVariant& variant_;
  mutable FreeList<ScanMemory> scan_memories_;
};

}  // namespace

const Backend* MakeCpuBackend(const CpuVariant& variant) { return new CpuBackend(variant); }

}  // namespace winnow::kernels
