#include "kernels/cpu/score_scan.h"

#include <algorithm>
#include <array>

#include "kernels/cpu/scratch.h"
#include "kernels/cpu/top_k.h"

namespace winnow::kernels {
namespace {

// Pages that a thread claims at once: 4096 keys, about half a megabyte.
constexpr int kPagesPerTask = 64;

// What one thread keeps through a call.
struct Worker {
  Scratch scratch;
  std::vector<TopK> best;  // [rows]
  bool used = false;
};

// Offers the scores of a page to the row's best. Most pages have none that is above the threshold.
void Offer(const float* scores, uint32_t first_position, uint32_t visible, TopK* best) {
  if (best->full()) {
    float highest = scores[0];
    for (uint32_t i = 1; i < visible; ++i) highest = std::max(highest, scores[i]);
    if (!(highest > best->threshold())) return;
  }
  for (uint32_t i = 0; i < visible; ++i) best->Push(scores[i], first_position + i);
}

class Scan {
 public:
  Scan(const CpuVariant& variant, const ScoreTopKParams& params, int workers)
      : variant_(variant), params_(params), workers_(workers) {
    prepared_ = prepared_memory_.Get(variant.prepared_bytes(params.query));
    variant.prepare(params.query, prepared_);
  }

  void ScorePages(int first_page, int last_page, Worker* worker) {
    const ScoreQuery& query = params_.query;
    if (!worker->used) Begin(worker);
    std::byte* scratch = worker->scratch.Get(variant_.score_scratch_bytes(query));
    alignas(kScratchAlignment) std::array<float, kMaxQueryRows * kPageEntries> scores;
    if (variant_.enter != nullptr) variant_.enter(query);
    for (int i = first_page; i < last_page; ++i) {
      const KeyPage& page = params_.pages[i];
      variant_.score_page(query, prepared_, page.keys, scratch, scores.data());
      for (int row = 0; row < query.rows; ++row) {
        const uint32_t visible = params_.visible_entries[row];
        if (visible <= page.first_position) continue;
        Offer(&scores[static_cast<size_t>(row) * kPageEntries], page.first_position,
              std::min(page.entries, visible - page.first_position), &worker->best[row]);
      }
    }
    if (variant_.leave != nullptr) variant_.leave();
  }

  Worker* worker(int i) { return &workers_[i]; }

  void Merge(ScoreTopKResult* result) {
    for (int row = 0; row < params_.query.rows; ++row) {
      std::vector<std::span<const Candidate>> lists;
      for (Worker& worker : workers_) {
        if (worker.used) lists.emplace_back(worker.best[row].Sorted());
      }
      MergeCandidates(lists, params_.k, &result->selected[row]);
    }
  }

 private:
  void Begin(Worker* worker) {
    worker->used = true;
    worker->best.resize(params_.query.rows);
    for (TopK& best : worker->best) best.Reset(params_.k);
  }

  const CpuVariant& variant_;
  const ScoreTopKParams& params_;
  std::vector<Worker> workers_;
  Scratch prepared_memory_;
  std::byte* prepared_ = nullptr;
};

}  // namespace

void ScanPages(const CpuVariant& variant, const ScoreTopKParams& params, WorkerPool& pool,
               ScoreTopKResult* result) {
  result->selected.assign(params.query.rows, {});
  Scan scan(variant, params, pool.threads());
  const auto pages = static_cast<int>(params.pages.size());
  const auto cancelled = [&params] {
    return params.cancelled != nullptr && params.cancelled->load(std::memory_order_relaxed);
  };
  pool.ParallelFor((pages + kPagesPerTask - 1) / kPagesPerTask, [&](int task, int worker) {
    if (cancelled()) return;
    const int first = task * kPagesPerTask;
    scan.ScorePages(first, std::min(pages, first + kPagesPerTask), scan.worker(worker));
  });
  result->complete = !cancelled();
  if (result->complete) scan.Merge(result);
}

}  // namespace winnow::kernels
