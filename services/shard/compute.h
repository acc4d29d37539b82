#ifndef WINNOW_SERVICES_SHARD_COMPUTE_H_
#define WINNOW_SERVICES_SHARD_COMPUTE_H_

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "kernels/backend.h"
#include "services/shard/score_run.h"
#include "storage/page_mirror.h"
#include "storage/profile.h"
#include "storage/stripe.h"

namespace winnow::shard {

// As kernels::ScoreTopKParams.
struct ScoreWork {
  kernels::ScoreQuery query;
  std::span<const ScoreRun> runs;  // ascending; each but the last is a whole stripe
  std::span<const uint32_t> visible_entries;
  int k = 0;
  const std::atomic<bool>* cancelled = nullptr;
};

// The attention of T query rows, each over KV rows of its own.
struct AttendWork {
  const Profile& profile;
  const std::byte* queries;                  // [T, query_heads, latent_dim + rope_dim] bf16
  std::span<const std::vector<Place>> rows;  // [T]
  float* outputs;                            // [T, query_heads, latent_dim]
  float* lse;                                // [T, query_heads]
};

// What a shard scores and attends with: the processor's kernels, or a GPU's. Thread-safe.
class Compute {
 public:
  virtual ~Compute() = default;

  // "avx512", "cuda:0 NVIDIA H200", ...
  virtual std::string name() const = 0;
  // Threads of the processor that a call may use.
  virtual int threads() const = 0;
  // Where pages get copies as they are appended; null where pages are read in place.
  virtual PageMirror* mirror() = 0;

  // INTERNAL DEVICE_FAILED if the device did not do its work; the results mean nothing then. A
  // cancelled call is OK and leaves result->complete false.
  virtual absl::Status Score(const ScoreWork& work, kernels::ScoreTopKResult* result) = 0;
  virtual absl::Status Attend(const AttendWork& work) = 0;
};

// The processor's kernels.
class CpuCompute final : public Compute {
 public:
  // backend and pool are borrowed and must outlive this.
  CpuCompute(const kernels::Backend* backend, kernels::WorkerPool* pool)
      : backend_(*backend), pool_(*pool) {}

  std::string name() const override { return std::string(backend_.name()); }
  int threads() const override { return pool_.threads(); }
  PageMirror* mirror() override { return nullptr; }
  absl::Status Score(const ScoreWork& work, kernels::ScoreTopKResult* result) override;
  absl::Status Attend(const AttendWork& work) override;

 private:
  const kernels::Backend& backend_;
  kernels::WorkerPool& pool_;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_COMPUTE_H_
