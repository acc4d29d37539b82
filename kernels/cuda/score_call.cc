#include "kernels/cuda/score_call.h"

#include <algorithm>
#include <cstring>

namespace winnow::kernels::cuda {
namespace {

bool Cancelled(const ScoreTopKParams& query) {
  return query.cancelled != nullptr && query.cancelled->load(std::memory_order_relaxed);
}

// Pages are in ascending order, so those that no row sees are the last.
uint32_t VisiblePages(const ScoreTopKParams& query) {
  uint32_t most_visible = 0;
  for (const uint32_t visible : query.visible_entries) {
    most_visible = std::max(most_visible, visible);
  }
  const auto seen =
      std::partition_point(query.pages.begin(), query.pages.end(),
                           [=](const KeyPage& page) { return page.first_position < most_visible; });
  return static_cast<uint32_t>(seen - query.pages.begin());
}

}  // namespace

ScoreCall::ScoreCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
                     std::span<const ScoreTopKParams> queries)
    : device_(device), limits_(limits), slot_(slot), queries_(queries), memory_(device, slot) {
  for (size_t i = 0; i < queries.size(); ++i) {
    const uint32_t pages = VisiblePages(queries[i]);
    if (pages == 0) continue;
    parts_.push_back({i, pages, rows_, candidates_});
    rows_ += queries[i].query.rows;
    candidates_ += size_t{1} * queries[i].query.rows * queries[i].k;
  }
}

bool ScoreCall::AllCancelled() const { return std::ranges::all_of(queries_, Cancelled); }

Error ScoreCall::CheckAlike() const {
  const ScoreQuery& first = ParamsOf(parts_[0]).query;
  for (const Part& part : parts_) {
    const ScoreQuery& query = ParamsOf(part).query;
    if (query.format != first.format || query.heads != first.heads || query.dim != first.dim) {
      return "queries of one call differ in format, heads or dims";
    }
  }
  return "";
}

Error ScoreCall::Prepare() {
  if (parts_.empty()) return "";
  if (Error error = CheckAlike(); !error.empty()) return error;
  const ScoreQuery& query = ParamsOf(parts_[0]).query;
  ScoreShape shape = {.format = query.format, .heads = query.heads, .dim = query.dim};
  for (const Part& part : parts_) {
    shape.most_rows = std::max(shape.most_rows, ParamsOf(part).query.rows);
    shape.most_k = std::max(shape.most_k, static_cast<uint32_t>(ParamsOf(part).k));
  }
  Error error = PlanScore(limits_, shape, &plan_);
  return error.empty() ? TakeMemory() : error;
}

void ScoreCall::PlaceInputs(DevicePage* pages, std::byte* queries, float* weights) const {
  for (const Part& part : parts_) {
    const ScoreTopKParams& params = ParamsOf(part);
    const ScoreQuery& query = params.query;
    for (const KeyPage& page : params.pages.first(part.pages)) {
      *pages++ = {page.keys, page.first_position, page.entries};
    }
    const size_t heads = size_t{1} * query.rows * query.heads;
    const size_t bytes = heads * QueryBytes(query.format, query.dim);
    std::memcpy(queries, query.queries, bytes);
    queries += bytes;
    weights = std::copy_n(query.weights, heads, weights);
  }
}

Error ScoreCall::TakeMemory() {
  const ScoreQuery& query = ParamsOf(parts_[0]).query;
  size_t page_count = 0;
  size_t least_row_bytes = SIZE_MAX, most_row_bytes = 0;
  for (const Part& part : parts_) {
    page_count += part.pages;
    const size_t row_bytes = ScoreWorkspaceBytesPerRow(part.pages);
    least_row_bytes = std::min(least_row_bytes, row_bytes);
    most_row_bytes = std::max(most_row_bytes, row_bytes);
  }
  const size_t heads = size_t{1} * rows_ * query.heads;
  auto* const pages = memory_.Input<DevicePage>(page_count);
  auto* const queries = memory_.Input<std::byte>(heads * QueryBytes(query.format, query.dim));
  auto* const weights = memory_.Input<float>(heads);
  auto* const rows = memory_.Input<ScoreRow>(rows_);
  selected_ = memory_.Output<Candidate>(candidates_);
  counts_ = memory_.Output<uint32_t>(rows_);
  // As many as may share a launch, so that beside their states there is room for the largest row.
  const size_t left = memory_.workspace_left();
  const size_t largest = most_row_bytes + sizeof(RowState);
  const size_t others =
      left > largest ? (left - largest) / (least_row_bytes + sizeof(RowState)) : 0;
  launch_rows_ = static_cast<int>(std::min<size_t>(1 + others, rows_));
  auto* const states = memory_.Workspace<RowState>(launch_rows_);
  if (Error error = memory_.Check(); !error.empty()) return error;
  PlaceInputs(pages, queries, weights);
  score_ = {.format = query.format,
            .by_groups = plan_.by_groups,
            .heads = query.heads,
            .dim = query.dim,
            .rows = memory_.OnDevice(rows),
            .queries = memory_.OnDevice(queries),
            .weights = memory_.OnDevice(weights),
            .states = states};
  return DivideIntoLaunches(memory_.OnDevice(pages), rows);
}

// A launch's candidates take the memory of those of the launch before it.
Error ScoreCall::DivideIntoLaunches(const DevicePage* pages, ScoreRow* rows) {
  std::byte* const room = memory_.rest();
  const size_t room_bytes = memory_.workspace_left();
  size_t used = room_bytes;  // so that the first part begins a launch
  for (const Part& part : parts_) {
    const ScoreTopKParams& params = ParamsOf(part);
    const size_t row_bytes = ScoreWorkspaceBytesPerRow(part.pages);
    if (row_bytes > room_bytes) {
      (void)memory_.Workspace<std::byte>(row_bytes);
      return memory_.Check();
    }
    for (int row = 0; row < params.query.rows;) {
      if (room_bytes - used < row_bytes || launches_.back().jobs == kMostScoreJobs ||
          launches_.back().rows == launch_rows_) {
        launches_.push_back({.first_job = jobs_.size(), .first_row = part.first_row + row});
        used = 0;
      }
      const int count = static_cast<int>(std::min<size_t>(
          {(room_bytes - used) / row_bytes, static_cast<size_t>(plan_.rows_per_job),
           static_cast<size_t>(params.query.rows - row),
           static_cast<size_t>(launch_rows_ - launches_.back().rows)}));
      AddJob(part, row, count, pages);
      for (const int end = row + count; row < end; ++row, used += row_bytes) {
        auto* const kept = reinterpret_cast<CandidateKey*>(room + used);
        rows[part.first_row + row] = {
            .visible = params.visible_entries[row],
            .k = static_cast<uint32_t>(params.k),
            .kept = kept,
            .filtered = kept + size_t{kPageEntries} * part.pages,
            .selected =
                memory_.OnDevice(selected_) + part.first_candidate + size_t{1} * row * params.k};
      }
    }
    pages += part.pages;
  }
  return "";
}

void ScoreCall::AddJob(const Part& part, int row, int rows, const DevicePage* pages) {
  Launch& launch = launches_.back();
  jobs_.push_back({.pages = pages,
                   .page_count = part.pages,
                   .first_row = part.first_row + row - launch.first_row,
                   .rows = rows});
  ++launch.jobs;
  launch.rows += rows;
  launch.most_pages = std::max(launch.most_pages, part.pages);
}

Error ScoreCall::Start() {
  if (AllCancelled()) return "";
  complete_ = parts_.empty();
  if (complete_) return "";
  Error error = memory_.SendInputs();
  for (const Launch& launch : launches_) {
    if (!error.empty()) break;
    if (AllCancelled()) return "";
    error = StartLaunch(launch);
  }
  if (error.empty()) error = memory_.ReceiveOutputs();
  complete_ = error.empty();
  return error;
}

Error ScoreCall::StartLaunch(const Launch& launch) {
  const std::span<ScoreJob> jobs(&jobs_[launch.first_job], launch.jobs);
  const size_t first_head = size_t{1} * launch.first_row * score_.heads;
  LaunchShape shape = plan_.score, select_shape = plan_.select;
  shape.blocks_x = DivideBlocks(plan_, score_.dim, jobs);
  select_shape.blocks_x = launch.rows;
  ScoreArgs score = score_;
  score.rows += launch.first_row;
  score.queries += first_head * QueryBytes(score.format, score.dim);
  score.weights += first_head;
  score.job_count = launch.jobs;
  std::ranges::copy(jobs, score.jobs);
  const FilterArgs filter = {score.rows, score.states};
  const SelectArgs select = {score.rows, score.states,
                             memory_.OnDevice(counts_) + launch.first_row};
  Error error = device_.FillZero(slot_.stream, score.states, launch.rows * sizeof(RowState));
  if (error.empty()) error = device_.Launch(slot_.stream, shape, score);
  if (error.empty()) {
    error = device_.Launch(slot_.stream, PlanFilter(launch.rows, launch.most_pages), filter);
  }
  if (error.empty()) error = device_.Launch(slot_.stream, select_shape, select);
  return error;
}

void ScoreCall::Collect(std::span<ScoreTopKResult> results) const {
  for (size_t i = 0; i < queries_.size(); ++i) {
    results[i].complete = complete_ && !Cancelled(queries_[i]);
  }
  for (const Part& part : parts_) {
    const ScoreTopKParams& params = ParamsOf(part);
    ScoreTopKResult& result = results[part.query];
    if (!result.complete) continue;
    for (int row = 0; row < params.query.rows; ++row) {
      const Candidate* list = selected_ + part.first_candidate + size_t{1} * row * params.k;
      result.selected[row].assign(list, list + counts_[part.first_row + row]);
    }
  }
}

}  // namespace winnow::kernels::cuda
