#include <algorithm>
#include <utility>

#include "services/shard/gpu_compute.h"
#include "services/shard/gpu_staging.h"

namespace winnow::shard {
namespace {

using kernels::cuda::kMostScoreJobs;

// Rounding of the parts of a call's pinned memory, and what they have beside their arrays.
constexpr size_t kPinnedSlack = 4096;
constexpr size_t kPinnedBytesPerRow = 64;
constexpr size_t kPinnedBytesPerPage = sizeof(kernels::cuda::DeviceRun) + sizeof(void*);

size_t PageBytes(const ScoreWork& work) {
  return kernels::KeyPageBytes(work.query.format, work.query.dim);
}

size_t StagedBytesOf(const ScoreWork& work) {
  const auto warm =
      std::ranges::count(work.pages, nullptr, [](const StoredPage& p) { return p.keys.device; });
  return StagedBytes(PageBytes(work)) * static_cast<size_t>(warm);
}

size_t PinnedBytesOf(const ScoreWork& work) {
  const kernels::ScoreQuery& query = work.query;
  const size_t row_bytes =
      query.heads * (kernels::QueryBytes(query.format, query.dim) + sizeof(float)) +
      work.k * sizeof(kernels::Candidate) + kPinnedBytesPerRow;
  return query.rows * row_bytes + work.pages.size() * kPinnedBytesPerPage + kPinnedSlack;
}

bool Alike(const kernels::ScoreQuery& a, const kernels::ScoreQuery& b) {
  return a.format == b.format && a.heads == b.heads && a.dim == b.dim;
}

}  // namespace

absl::Status GpuCompute::ScoreTogether(std::span<const ScoreTask* const> tasks,
                                       const Staging& staging) {
  StagingWriter writer(staging, uploads_.get());
  std::vector<std::vector<kernels::KeyPage>> placed(tasks.size());
  std::vector<kernels::ScoreTopKParams> queries;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const ScoreWork& work = tasks[i]->work;
    placed[i].reserve(work.pages.size());
    for (const StoredPage& page : work.pages) {
      kernels::KeyPage& to = placed[i].emplace_back(kernels::KeyPage{
          .keys = nullptr, .first_position = page.first_position, .entries = page.entries});
      absl::Status status = CheckDevice(writer.Bring(page.keys, PageBytes(work), &to.keys));
      if (!status.ok()) return status;
    }
    queries.push_back({.query = work.query,
                       .pages = placed[i],
                       .visible_entries = work.visible_entries,
                       .k = work.k,
                       .cancelled = work.cancelled});
  }
  std::vector<kernels::ScoreTopKResult> results(tasks.size());
  absl::Status status = CheckDevice(backend_->TryScoreTopK(queries, results));
  for (size_t i = 0; i < tasks.size(); ++i) *tasks[i]->result = std::move(results[i]);
  return status;
}

absl::StatusOr<size_t> GpuCompute::PagesThatFit(const ScoreWork& work, size_t first) const {
  const size_t page_bytes = StagedBytes(PageBytes(work));
  const size_t most_warm = options_.staging_bytes / page_bytes;
  size_t last = first;
  for (size_t warm = 0; last < work.pages.size(); ++last) {
    if (work.pages[last].keys.device == nullptr && ++warm > most_warm) break;
  }
  if (last > first) return last - first;
  return Error(absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY",
               absl::StrCat("a page needs ", page_bytes, " bytes of staging; there are ",
                            options_.staging_bytes));
}

absl::Status GpuCompute::ScoreInParts(const ScoreTask& task, const Staging& staging) {
  kernels::ScoreTopKResult* const result = task.result;
  result->selected.assign(task.work.query.rows, {});
  result->complete = true;
  for (size_t first = 0; first < task.work.pages.size();) {
    const absl::StatusOr<size_t> count = PagesThatFit(task.work, first);
    if (!count.ok()) return count.status();
    kernels::ScoreTopKResult part;
    ScoreTask one = task;
    one.result = &part;
    one.work.pages = task.work.pages.subspan(first, *count);
    const ScoreTask* const tasks[] = {&one};
    if (absl::Status status = ScoreTogether(tasks, staging); !status.ok()) return status;
    result->complete = part.complete;
    if (!part.complete) return absl::OkStatus();
    first += *count;
    for (size_t row = 0; row < result->selected.size(); ++row) {
      std::vector<kernels::Candidate>& best = result->selected[row];
      if (best.empty()) {
        best = std::move(part.selected[row]);
        continue;
      }
      const std::span<const kernels::Candidate> lists[] = {best, part.selected[row]};
      std::vector<kernels::Candidate> merged;
      kernels::MergeCandidates(lists, task.work.k, &merged);
      best = std::move(merged);
    }
  }
  return absl::OkStatus();
}

bool GpuCompute::ScoresTogether(std::span<const ScoreTask* const> batch,
                                const ScoreTask& task) const {
  size_t staged_bytes = task.staged_bytes, pinned_bytes = task.pinned_bytes;
  size_t most_pages = task.work.pages.size();
  for (const ScoreTask* other : batch) {
    staged_bytes += other->staged_bytes;
    pinned_bytes += other->pinned_bytes;
    most_pages = std::max(most_pages, other->work.pages.size());
  }
  // One row of each must fit beside what goes up and comes down, or the call would fail for all.
  const size_t row_bytes =
      kernels::cuda::ScoreWorkspaceBytesPerRow(static_cast<uint32_t>(most_pages)) +
      sizeof(kernels::cuda::RowState);
  return batch.size() < kMostScoreJobs && Alike(batch[0]->work.query, task.work.query) &&
         staged_bytes <= options_.staging_bytes && pinned_bytes <= options_.pinned_bytes &&
         pinned_bytes + row_bytes <= options_.workspace_bytes;
}

absl::Status GpuCompute::Score(const ScoreWork& work, kernels::ScoreTopKResult* result) {
  using Batch = std::vector<const ScoreTask*>;
  return score_queue_->Do(
      {work, result, StagedBytesOf(work), PinnedBytesOf(work)},
      [this](const Batch& batch, const ScoreTask& task) { return ScoresTogether(batch, task); },
      [this](const Batch& batch, const Staging& staging) {
        // What is too large for the staging is never one of several.
        return batch[0]->staged_bytes <= options_.staging_bytes ? ScoreTogether(batch, staging)
                                                                : ScoreInParts(*batch[0], staging);
      });
}

}  // namespace winnow::shard
