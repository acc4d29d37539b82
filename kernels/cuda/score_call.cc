#include "kernels/cuda/score_call.h"

#include <algorithm>
#include <cstring>

namespace winnow::kernels::cuda {
namespace {

bool Cancelled(const ScoreRunsParams& query) {
  return query.cancelled != nullptr && query.cancelled->load(std::memory_order_relaxed);
}

uint32_t SeenEntries(const KeyRun& run, uint32_t visible) {
  return std::min(run.entries, visible - run.first_position);
}

}  // namespace

// Runs are in ascending order, so those that no row sees are the last.
ScoreCall::Part ScoreCall::SeenOf(const ScoreRunsParams& query) {
  Part part;
  for (const uint32_t visible : query.visible_entries) {
    part.visible = std::max(part.visible, visible);
  }
  bool whole = true;  // whether all runs but the last have kRunPages
  for (const KeyRun& run : query.runs) {
    if (run.first_position >= part.visible) break;
    const uint32_t entries = SeenEntries(run, part.visible);
    const uint32_t pages = (entries + kPageEntries - 1) / kPageEntries;
    whole = whole && part.pages == part.runs * kRunPages;
    ++part.runs;
    part.pages += pages;
    if (run.on_device == nullptr) part.listed_pages += pages;
  }
  part.page_bits = whole ? kRunPageBits : 0;
  return part;
}

ScoreCall::ScoreCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
                     std::span<const ScoreRunsParams> queries)
    : device_(device), limits_(limits), slot_(slot), queries_(queries), memory_(device, slot) {
  for (size_t i = 0; i < queries.size(); ++i) {
    Part part = SeenOf(queries[i]);
    if (part.pages == 0) continue;
    part.query = i;
    part.first_row = rows_;
    part.first_candidate = candidates_;
    parts_.push_back(part);
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

void ScoreCall::PlaceInputs(Inputs to) const {
  for (const Part& part : parts_) {
    PlaceRuns(part, &to);
    const ScoreQuery& query = ParamsOf(part).query;
    const size_t heads = size_t{1} * query.rows * query.heads;
    const size_t bytes = heads * QueryBytes(query.format, query.dim);
    std::memcpy(to.queries, query.queries, bytes);
    to.queries += bytes;
    to.weights = std::copy_n(query.weights, heads, to.weights);
  }
}

void ScoreCall::PlaceRuns(const Part& part, Inputs* to) const {
  const uint32_t step = uint32_t{kPageEntries} << part.page_bits;
  for (const KeyRun& run : ParamsOf(part).runs.first(part.runs)) {
    const uint32_t entries = SeenEntries(run, part.visible);
    const std::byte* const* pages = run.on_device;
    if (pages == nullptr) {
      pages = memory_.OnDevice(to->pages);
      to->pages = std::copy_n(run.on_host, (entries + kPageEntries - 1) / kPageEntries, to->pages);
    }
    for (uint32_t at = 0; at < entries; at += step) {
      *to->runs++ = {pages + at / kPageEntries, run.first_position + at,
                     std::min(step, entries - at)};
    }
  }
}

Error ScoreCall::TakeMemory() {
  const ScoreQuery& query = ParamsOf(parts_[0]).query;
  size_t runs = 0, listed_pages = 0;
  for (const Part& part : parts_) {
    runs += DeviceRuns(part);
    listed_pages += part.listed_pages;
  }
  const size_t heads = size_t{1} * rows_ * query.heads;
  const Inputs inputs = {
      .runs = memory_.Input<DeviceRun>(runs),
      .pages = memory_.Input<const std::byte*>(listed_pages),
      .queries = memory_.Input<std::byte>(heads * QueryBytes(query.format, query.dim)),
      .weights = memory_.Input<float>(heads)};
  auto* const rows = memory_.Input<ScoreRow>(rows_);
  selected_ = memory_.Output<Candidate>(candidates_);
  counts_ = memory_.Output<uint32_t>(rows_);
  if (Error error = memory_.Check(); !error.empty()) return error;
  PlaceInputs(inputs);
  score_ = {.format = query.format,
            .by_groups = plan_.by_groups,
            .stages = plan_.stages,
            .heads = query.heads,
            .dim = query.dim,
            .rows = memory_.OnDevice(rows),
            .queries = memory_.OnDevice(inputs.queries),
            .weights = memory_.OnDevice(inputs.weights),
            .states = slot_.states};
  return DivideIntoLaunches(memory_.OnDevice(inputs.runs), rows);
}

// A launch's candidates take the memory of those of the launch before it.
Error ScoreCall::DivideIntoLaunches(const DeviceRun* runs, ScoreRow* rows) {
  std::byte* const room = memory_.rest();
  const size_t room_bytes = memory_.workspace_left();
  size_t used = room_bytes;  // so that the first part begins a launch
  for (const Part& part : parts_) {
    const int part_rows = ParamsOf(part).query.rows;
    const size_t row_bytes = ScoreWorkspaceBytesPerRow(part.pages);
    if (row_bytes > room_bytes) {
      (void)memory_.Workspace<std::byte>(row_bytes);
      return memory_.Check();
    }
    for (int row = 0; row < part_rows;) {
      if (room_bytes - used < row_bytes || launches_.back().jobs == kMostScoreJobs) {
        launches_.push_back({.first_job = jobs_.size(), .first_row = part.first_row + row});
        used = 0;
      }
      const int count = static_cast<int>(std::min<size_t>({(room_bytes - used) / row_bytes,
                                                           static_cast<size_t>(plan_.rows_per_job),
                                                           static_cast<size_t>(part_rows - row)}));
      AddJob(part, row, count, runs);
      for (const int end = row + count; row < end; ++row, used += row_bytes) {
        rows[part.first_row + row] = RowOf(part, row, room + used);
      }
    }
    runs += DeviceRuns(part);
  }
  return "";
}

void ScoreCall::AddJob(const Part& part, int row, int rows, const DeviceRun* runs) {
  Launch& launch = launches_.back();
  jobs_.push_back({.runs = runs,
                   .page_count = part.pages,
                   .page_bits = part.page_bits,
                   .first_row = part.first_row + row - launch.first_row,
                   .rows = rows});
  ++launch.jobs;
  launch.rows += rows;
}

ScoreRow ScoreCall::RowOf(const Part& part, int row, std::byte* kept) const {
  const ScoreRunsParams& params = ParamsOf(part);
  auto* const keys = reinterpret_cast<CandidateKey*>(kept);
  return {
      .visible = params.visible_entries[row],
      .k = static_cast<uint32_t>(params.k),
      .kept = keys,
      .list = keys + size_t{kPageEntries} * part.pages,
      .selected = memory_.OnDevice(selected_) + part.first_candidate + size_t{1} * row * params.k};
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
  const SelectArgs select = {score.rows, score.states,
                             memory_.OnDevice(counts_) + launch.first_row};
  Error error = device_.Launch(slot_.stream, shape, score);
  if (!error.empty()) return error;
  error = device_.Launch(slot_.stream, select_shape, select);
  // What should have cleared them. If the device is broken, there is nothing left to do.
  if (!error.empty()) (void)device_.FillZero(slot_.stream, slot_.states, kSlotStateBytes);
  return error;
}

void ScoreCall::Collect(std::span<ScoreTopKResult> results) const {
  for (size_t i = 0; i < queries_.size(); ++i) {
    results[i].complete = complete_ && !Cancelled(queries_[i]);
  }
  for (const Part& part : parts_) {
    const ScoreRunsParams& params = ParamsOf(part);
    ScoreTopKResult& result = results[part.query];
    if (!result.complete) continue;
    for (int row = 0; row < params.query.rows; ++row) {
      const Candidate* list = selected_ + part.first_candidate + size_t{1} * row * params.k;
      result.selected[row].assign(list, list + counts_[part.first_row + row]);
    }
  }
}

}  // namespace winnow::kernels::cuda
