#include "kernels/cpu/score_scan.h"

#include <algorithm>
#include <array>

namespace winnow::kernels {
namespace {

// Pages that a thread claims at once: 4096 keys, about half a megabyte.
constexpr int kPagesPerTask = 64;

// Without a branch, so that the compiler compares a vector at a time.
bool AnyAbove(const float* scores, uint32_t count, float threshold) {
  int above = 0;
  for (uint32_t i = 0; i < count; ++i) above |= static_cast<int>(scores[i] > threshold);
  return above != 0;
}

// Offers the scores of a page to the row's best. Most pages have none that is above the threshold.
void Offer(const float* scores, uint32_t first_position, uint32_t visible, TopK* best) {
  if (best->full() && !AnyAbove(scores, visible, best->threshold())) return;
  for (uint32_t i = 0; i < visible; ++i) best->Push(scores[i], first_position + i);
}

class Scan {
 public:
  Scan(const CpuVariant& variant, const ScoreTopKParams& params, int workers, ScanMemory* memory)
      : variant_(variant), params_(params), memory_(*memory) {
    prepared_ = memory_.prepared.Get(variant.prepared_bytes(params.query));
    variant.prepare(params.query, prepared_);
    if (memory_.workers.size() < static_cast<size_t>(workers)) memory_.workers.resize(workers);
    for (ScanMemory::Worker& worker : memory_.workers) worker.used = false;
  }

  void ScorePages(int first_page, int last_page, int worker_number) {
    const ScoreQuery& query = params_.query;
    ScanMemory::Worker& worker = memory_.workers[worker_number];
    if (!worker.used) Begin(&worker);
    std::byte* scratch = worker.scratch.Get(variant_.score_scratch_bytes(query));
    alignas(kScratchAlignment) std::array<float, kMaxQueryRows * kPageEntries> scores;
    if (variant_.enter != nullptr) variant_.enter(query);
    for (int i = first_page; i < last_page; ++i) {
      const KeyPage& page = params_.pages[i];
      const std::byte* next = i + 1 < last_page ? params_.pages[i + 1].keys : nullptr;
      const PageTurn turn = {.page = page.keys, .next = next, .first = i == first_page};
      variant_.score_page(query, prepared_, turn, scratch, scores.data());
      for (int row = 0; row < query.rows; ++row) {
        const uint32_t visible = params_.visible_entries[row];
        if (visible <= page.first_position) continue;
        Offer(&scores[static_cast<size_t>(row) * kPageEntries], page.first_position,
              std::min(page.entries, visible - page.first_position), &worker.best[row]);
      }
    }
    if (variant_.leave != nullptr) variant_.leave();
  }

  void Merge(ScoreTopKResult* result) {
    for (int row = 0; row < params_.query.rows; ++row) {
      memory_.lists.clear();
      for (ScanMemory::Worker& worker : memory_.workers) {
        if (worker.used) memory_.lists.emplace_back(worker.best[row].Sorted());
      }
      MergeCandidates(memory_.lists, params_.k, &result->selected[row]);
    }
  }

 private:
  void Begin(ScanMemory::Worker* worker) {
    worker->used = true;
    const auto rows = static_cast<size_t>(params_.query.rows);
    if (worker->best.size() < rows) worker->best.resize(rows);
    for (size_t row = 0; row < rows; ++row) worker->best[row].Reset(params_.k);
  }

  const CpuVariant& variant_;
  const ScoreTopKParams& params_;
  ScanMemory& memory_;
  std::byte* prepared_ = nullptr;
};

}  // namespace

void ScanPages(const CpuVariant& variant, const ScoreTopKParams& params, WorkerPool& pool,
               ScanMemory* memory, ScoreTopKResult* result) {
  result->selected.resize(params.query.rows);
  for (std::vector<Candidate>& row : result->selected) row.clear();
  Scan scan(variant, params, pool.threads(), memory);
  const auto pages = static_cast<int>(params.pages.size());
  const auto cancelled = [&params] {
    return params.cancelled != nullptr && params.cancelled->load(std::memory_order_relaxed);
  };
  pool.ParallelFor((pages + kPagesPerTask - 1) / kPagesPerTask, [&](int task, int worker) {
    if (cancelled()) return;
    const int first = task * kPagesPerTask;
    scan.ScorePages(first, std::min(pages, first + kPagesPerTask), worker);
  });
  result->complete = !cancelled();
  if (result->complete) scan.Merge(result);
}

}  // namespace winnow::kernels
