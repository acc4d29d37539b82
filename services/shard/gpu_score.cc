#include <algorithm>
#include <utility>

#include "services/shard/gpu_compute.h"
#include "services/shard/gpu_staging.h"

namespace winnow::shard {
namespace {

using kernels::cuda::KeyRun;
using kernels::cuda::kMostScoreJobs;

static_assert(kStripePages == kernels::cuda::kRunPages);

// Rounding of the parts of a call's pinned memory, and what they have beside their arrays.
constexpr size_t kPinnedSlack = 4096;
constexpr size_t kPinnedBytesPerRow = 64;
// At most: a page may be listed, and be a run.
constexpr size_t kPinnedBytesPerPage = sizeof(std::byte*) + sizeof(kernels::cuda::DeviceRun);

size_t PageBytes(const ScoreWork& work) {
  return kernels::KeyPageBytes(work.query.format, work.query.dim);
}

// Whatever its pages.
size_t PinnedBytesOfRows(const ScoreWork& work) {
  const kernels::ScoreQuery& query = work.query;
  const size_t row_bytes =
      query.heads * (kernels::QueryBytes(query.format, query.dim) + sizeof(float)) +
      work.k * sizeof(kernels::Candidate) + kPinnedBytesPerRow;
  return query.rows * row_bytes + kPinnedSlack;
}

size_t WorkspaceBytesPerRow(size_t pages) {
  return kernels::cuda::ScoreWorkspaceBytesPerRow(static_cast<uint32_t>(pages));
}

size_t SharesOf(size_t bytes, size_t fixed_bytes, size_t share_bytes) {
  return bytes > fixed_bytes ? (bytes - fixed_bytes) / share_bytes : 0;
}

// A call's runs as the GPU takes them, and the pages of those that the device has no list of.
struct PlacedRuns {
  std::vector<KeyRun> runs;
  std::vector<const std::byte*> listed;
};

// Brings the pages to the device that are not there.
absl::Status PlaceRuns(const ScoreWork& work, StagingWriter* writer, PlacedRuns* placed) {
  placed->runs.reserve(work.runs.size());
  size_t listed_pages = 0;
  for (const ScoreRun& run : work.runs) listed_pages += run.table == nullptr ? run.pages() : 0;
  placed->listed.reserve(listed_pages);  // so that it stays where it is
  for (const ScoreRun& run : work.runs) {
    placed->runs.push_back({.on_device = run.table,
                            .on_host = placed->listed.data() + placed->listed.size(),
                            .first_position = run.first_position,
                            .entries = run.entries});
    for (uint32_t i = 0; run.table == nullptr && i < run.pages(); ++i) {
      absl::Status status =
          CheckDevice(writer->Bring(run.page(i), PageBytes(work), &placed->listed.emplace_back()));
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

bool Alike(const kernels::ScoreQuery& a, const kernels::ScoreQuery& b) {
  return a.format == b.format && a.heads == b.heads && a.dim == b.dim;
}

}  // namespace

absl::Status GpuCompute::ScoreTogether(std::span<const ScoreTask* const> tasks,
                                       const Staging& staging) {
  StagingWriter writer(staging);
  std::vector<PlacedRuns> placed(tasks.size());
  std::vector<kernels::cuda::ScoreRunsParams> queries;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const ScoreWork& work = tasks[i]->work;
    if (absl::Status status = PlaceRuns(work, &writer, &placed[i]); !status.ok()) return status;
    queries.push_back({.query = work.query,
                       .runs = placed[i].runs,
                       .visible_entries = work.visible_entries,
                       .k = work.k,
                       .cancelled = work.cancelled});
  }
  std::vector<kernels::ScoreTopKResult> results(tasks.size());
  absl::Status status = CheckDevice(backend_->TryScoreRuns(queries, results, staging.uploads));
  for (size_t i = 0; i < tasks.size(); ++i) *tasks[i]->result = std::move(results[i]);
  return status;
}

size_t GpuCompute::MostPages(const ScoreWork& work) const {
  const size_t pinned_bytes = PinnedBytesOfRows(work);
  const size_t page_bytes = kPinnedBytesPerPage + WorkspaceBytesPerRow(1) - WorkspaceBytesPerRow(0);
  return std::min(
      SharesOf(options_.pinned_bytes, pinned_bytes, kPinnedBytesPerPage),
      SharesOf(options_.workspace_bytes, pinned_bytes + WorkspaceBytesPerRow(0), page_bytes));
}

// All runs of a part but the last are whole stripes, as those of a call.
absl::StatusOr<std::vector<ScoreRun>> GpuCompute::CutPart(const ScoreWork& work,
                                                          std::deque<ScoreRun>* runs) const {
  const size_t page_bytes = StagedBytes(PageBytes(work));
  size_t warm_pages = options_.staging_bytes / page_bytes;
  size_t pages = MostPages(work);
  std::vector<ScoreRun> part;
  while (!runs->empty() && runs->front().pages() <= pages &&
         runs->front().warm_pages() <= warm_pages) {
    pages -= runs->front().pages();
    warm_pages -= runs->front().warm_pages();
    part.push_back(runs->front());
    runs->pop_front();
    if (part.back().pages() < kStripePages) break;
  }
  if (!part.empty()) return part;
  ScoreRun& run = runs->front();
  const auto count =
      static_cast<uint32_t>(run.warm_pages() <= warm_pages ? pages : std::min(pages, warm_pages));
  if (count == 0) {
    return Error(absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY",
                 absl::StrCat("a page needs ", page_bytes, " bytes of staging, ",
                              PinnedBytesOfRows(work) + kPinnedBytesPerPage,
                              " of pinned memory and ", WorkspaceBytesPerRow(1),
                              " more of workspace; there are ", options_.staging_bytes, ", ",
                              options_.pinned_bytes, " and ", options_.workspace_bytes));
  }
  part.push_back(run.First(count));
  run = run.After(count);
  return part;
}

absl::Status GpuCompute::ScoreInParts(const ScoreTask& task, const Staging& staging) {
  kernels::ScoreTopKResult* const result = task.result;
  result->selected.assign(task.work.query.rows, {});
  result->complete = true;
  for (std::deque<ScoreRun> left(task.work.runs.begin(), task.work.runs.end()); !left.empty();) {
    const absl::StatusOr<std::vector<ScoreRun>> runs = CutPart(task.work, &left);
    if (!runs.ok()) return runs.status();
    kernels::ScoreTopKResult part;
    ScoreTask one = task;
    one.result = &part;
    one.work.runs = *runs;
    const ScoreTask* const tasks[] = {&one};
    if (absl::Status status = ScoreTogether(tasks, staging); !status.ok()) return status;
    result->complete = part.complete;
    if (!part.complete) return absl::OkStatus();
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

bool GpuCompute::Fits(const ScoreNeed& need) const {
  // One row of each call must fit beside what goes up and comes down.
  return need.staged_bytes <= options_.staging_bytes &&
         need.pinned_bytes <= options_.pinned_bytes &&
         need.pinned_bytes + WorkspaceBytesPerRow(need.most_pages) <= options_.workspace_bytes;
}

bool GpuCompute::ScoresTogether(std::span<const ScoreTask* const> batch,
                                const ScoreTask& task) const {
  if (batch.size() >= kMostScoreJobs || !Alike(batch[0]->work.query, task.work.query)) return false;
  ScoreNeed need = task.need;
  for (const ScoreTask* other : batch) need.Add(other->need);
  return Fits(need);
}

GpuCompute::ScoreNeed GpuCompute::NeedOf(const ScoreWork& work) {
  size_t pages = 0, listed_pages = 0, warm_pages = 0;
  for (const ScoreRun& run : work.runs) {
    pages += run.pages();
    if (run.table == nullptr) listed_pages += run.pages();
    warm_pages += run.warm_pages();
  }
  return {.most_pages = pages,
          .staged_bytes = warm_pages * StagedBytes(PageBytes(work)),
          .pinned_bytes = PinnedBytesOfRows(work) +
                          work.runs.size() * sizeof(kernels::cuda::DeviceRun) +
                          listed_pages * sizeof(std::byte*)};
}

absl::Status GpuCompute::Score(const ScoreWork& work, kernels::ScoreTopKResult* result) {
  if (!backend_->CanScore(work.query, work.k)) return cpu_->Score(work, result);
  using Batch = std::vector<const ScoreTask*>;
  return score_queue_->Do(
      {work, result, NeedOf(work)},
      [this](const Batch& batch, const ScoreTask& task) { return ScoresTogether(batch, task); },
      [this](const Batch& batch, const Staging& staging) {
        // What does not fit one launch is never one of several.
        return Fits(batch[0]->need) ? ScoreTogether(batch, staging)
                                    : ScoreInParts(*batch[0], staging);
      });
}

}  // namespace winnow::shard
