#ifndef WINNOW_KERNELS_CPU_SCORE_SCAN_H_
#define WINNOW_KERNELS_CPU_SCORE_SCAN_H_

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/score_floor.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/sieve_trial.h"
#include "kernels/cpu/survivors.h"
#include "kernels/cpu/top_k.h"

namespace winnow::kernels {

// What a scan works in; kept from call to call, it grows to the largest and then stays.
struct ScanMemory {
  struct Worker {
    Scratch scratch;
    const std::byte* ready = nullptr;  // the page that `scratch` is ready for; may be null
    std::vector<TopK> best;            // [rows] and more
    std::vector<std::span<const Candidate>> lists;  // of the workers, of a row that it merges
    bool used = false;
    // Of a scan with a sieve.
    Scratch sieve_scratch;
    const std::byte* sieve_ready = nullptr;
    std::vector<Survivors> survivors;  // [rows] and more
    Scratch survivor_page;
    SieveTrial trial;
  };

  Scratch prepared;
  std::vector<Worker> workers;  // [threads] and more
  std::vector<Worker*> used;    // of these, once a scan's tasks are over
  // Of a scan with a sieve.
  Scratch sieve_prepared;
  Scratch rows_prepared;
  std::deque<ScoreFloor> floors;  // [rows] and more
};

// Score + top-k over all pages with a variant's page kernel, and its sieve where that saves scores:
// the result is the same. Floor: one read of the pages.
void ScanPages(const CpuVariant& variant, const ScoreTopKParams& params, WorkerPool& pool,
               ScanMemory* memory, ScoreTopKResult* result);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SCORE_SCAN_H_
