#include "kernels/cuda/score_call.h"

#include <algorithm>

namespace winnow::kernels::cuda {

static_assert(sizeof(DevicePage) == sizeof(KeyPage));

ScoreCall::ScoreCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
                     const ScoreTopKParams& params)
    : device_(device), limits_(limits), slot_(slot), params_(params), memory_(device, slot) {
  CountPages();
}

bool ScoreCall::Cancelled() const {
  return params_.cancelled != nullptr && params_.cancelled->load(std::memory_order_relaxed);
}

// Pages are in ascending order, so those that nobody sees are the last.
void ScoreCall::CountPages() {
  for (const uint32_t visible : params_.visible_entries) {
    most_visible_ = std::max(most_visible_, visible);
  }
  const auto seen = std::partition_point(
      params_.pages.begin(), params_.pages.end(),
      [this](const KeyPage& page) { return page.first_position < most_visible_; });
  pages_ = static_cast<uint32_t>(seen - params_.pages.begin());
}

ScoreShape ScoreCall::Shape() const {
  const ScoreQuery& query = params_.query;
  return {.format = query.format,
          .rows = query.rows,
          .heads = query.heads,
          .dim = query.dim,
          .k = static_cast<uint32_t>(params_.k),
          .pages = pages_};
}

void ScoreCall::PlacePages(DevicePage* pages) const {
  for (uint32_t i = 0; i < pages_; ++i) {
    const KeyPage& page = params_.pages[i];
    pages[i] = {page.keys, page.first_position, page.entries};
  }
}

Error ScoreCall::Prepare() {
  if (pages_ == 0) return "";
  const ScoreShape shape = Shape();
  if (Error error = PlanScore(limits_, shape, &plan_); !error.empty()) {
    return error;
  }
  const ScoreQuery& query = params_.query;
  const size_t heads = size_t{1} * query.rows * query.heads;
  DevicePage* const pages = memory_.InputRoom<DevicePage>(pages_);
  if (pages != nullptr) PlacePages(pages);
  const std::byte* queries =
      memory_.Input(query.queries, heads * QueryBytes(query.format, query.dim));
  const float* weights = memory_.Input(query.weights, heads);
  const uint32_t* visible = memory_.Input(params_.visible_entries.data(), query.rows);
  selected_ = memory_.Output<Candidate>(size_t{1} * query.rows * shape.k);
  counts_ = memory_.Output<uint32_t>(query.rows);
  auto* const selected = memory_.Workspace<Candidate>(size_t{1} * query.rows * shape.k);
  auto* const counts = memory_.Workspace<uint32_t>(query.rows);
  // Rounding up each of the three arrays of a pass takes less than a kilobyte.
  const size_t rows = memory_.workspace_left() / (ScoreWorkspaceBytesPerRow(pages_) + 1024);
  plan_.rows_per_pass = std::clamp<int>(static_cast<int>(rows), 1, plan_.rows_per_pass);
  const uint32_t capacity = kPageEntries * pages_;
  auto* const states = memory_.Workspace<RowState>(plan_.rows_per_pass);
  auto* const kept = memory_.Workspace<CandidateKey>(size_t{1} * plan_.rows_per_pass * capacity);
  auto* const filtered =
      memory_.Workspace<CandidateKey>(size_t{1} * plan_.rows_per_pass * kFilteredCapacity);
  if (Error error = memory_.Check(); !error.empty()) return error;
  score_ = {.format = query.format,
            .by_groups = plan_.by_groups,
            .rows = 0,
            .heads = query.heads,
            .dim = query.dim,
            .k = shape.k,
            .page_count = pages_,
            .capacity = capacity,
            .pages = memory_.OnDevice(pages),
            .queries = queries,
            .weights = weights,
            .visible = visible,
            .states = states,
            .kept = kept};
  filter_ = {shape.k, capacity, kFilteredCapacity, kept, states, filtered};
  select_ = {shape.k, capacity, kFilteredCapacity, kept, filtered, states, selected, counts};
  return "";
}

Error ScoreCall::Start() {
  if (Cancelled()) return "";
  if (pages_ == 0) {
    complete_ = true;
    return "";
  }
  Error error = memory_.SendInputs();
  const int rows = params_.query.rows;
  for (int row = 0; row < rows && error.empty(); row += plan_.rows_per_pass) {
    if (Cancelled()) return "";
    error = StartPass(row);
  }
  const size_t selected_bytes = size_t{1} * rows * params_.k * sizeof(Candidate);
  if (error.empty()) {
    error = device_.Copy(slot_.stream, selected_, select_.selected, selected_bytes);
  }
  if (error.empty()) {
    error = device_.Copy(slot_.stream, counts_, select_.counts, rows * sizeof(uint32_t));
  }
  complete_ = error.empty();
  return error;
}

Error ScoreCall::StartPass(int first_row) {
  const int rows = std::min(plan_.rows_per_pass, params_.query.rows - first_row);
  const size_t first_head = size_t{1} * first_row * score_.heads;
  ScoreArgs score = score_;
  score.rows = rows;
  score.queries += first_head * QueryBytes(score.format, score.dim);
  score.weights += first_head;
  score.visible += first_row;
  SelectArgs select = select_;
  select.selected += size_t{1} * first_row * select.k;
  select.counts += first_row;
  plan_.filter.blocks_y = rows;
  plan_.select.blocks_x = rows;
  Error error = device_.FillZero(slot_.stream, score.states, rows * sizeof(RowState));
  if (error.empty()) error = device_.Launch(slot_.stream, plan_.score, score);
  if (error.empty()) error = device_.Launch(slot_.stream, plan_.filter, filter_);
  if (error.empty()) error = device_.Launch(slot_.stream, plan_.select, select);
  return error;
}

void ScoreCall::Collect(ScoreTopKResult* result) const {
  result->complete = complete_ && !Cancelled();
  if (!result->complete || pages_ == 0) return;
  for (int row = 0; row < params_.query.rows; ++row) {
    const Candidate* list = selected_ + size_t{1} * row * params_.k;
    result->selected[row].assign(list, list + counts_[row]);
  }
}

}  // namespace winnow::kernels::cuda
