#include "kernels/cuda/attend_call.h"

#include <algorithm>

namespace winnow::kernels::cuda {

AttendCall::AttendCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
                       const AttendBatch& batch)
    : device_(device), limits_(limits), slot_(slot), batch_(batch), memory_(device, slot) {
  for (const auto& rows : batch.rows) {
    most_rows_ = std::max(most_rows_, static_cast<uint32_t>(rows.size()));
  }
}

void AttendCall::PlaceRows(const std::byte** rows, uint32_t* counts) const {
  for (size_t q = 0; q < batch_.rows.size(); ++q) {
    std::ranges::copy(batch_.rows[q], rows + q * most_rows_);
    counts[q] = static_cast<uint32_t>(batch_.rows[q].size());
  }
}

Error AttendCall::Prepare() {
  const AttendShape shape = {.format = batch_.format,
                             .queries = batch_.queries,
                             .heads = batch_.heads,
                             .latent_dim = batch_.latent_dim,
                             .rope_dim = batch_.rope_dim,
                             .most_rows = most_rows_};
  if (Error error = PlanAttend(limits_, shape, &plan_); !error.empty()) {
    return error;
  }
  const size_t width = batch_.latent_dim + batch_.rope_dim;
  const std::byte* query = memory_.Input(batch_.query, Heads() * width * 2);
  auto* const rows = memory_.InputRoom<const std::byte*>(size_t{1} * batch_.queries * most_rows_);
  auto* const counts = memory_.InputRoom<uint32_t>(batch_.queries);
  if (rows != nullptr && counts != nullptr) PlaceRows(rows, counts);
  const size_t values = Heads() * batch_.latent_dim;
  outputs_ = memory_.Output<float>(values);
  lse_ = memory_.Output<float>(Heads());
  auto* const outputs = memory_.Workspace<float>(values);
  auto* const lse = memory_.Workspace<float>(Heads());
  const bool split = plan_.splits > 1;
  auto* const parts = split ? memory_.Workspace<float>(plan_.splits * values) : outputs;
  auto* const part_lse = split ? memory_.Workspace<float>(plan_.splits * Heads()) : lse;
  if (Error error = memory_.Check(); !error.empty()) return error;
  attend_ = {.format = batch_.format,
             .queries = batch_.queries,
             .heads = batch_.heads,
             .latent_dim = batch_.latent_dim,
             .rope_dim = batch_.rope_dim,
             .splits = plan_.splits,
             .row_block = plan_.row_block,
             .row_stride = static_cast<int>(most_rows_),
             .softmax_scale = batch_.softmax_scale,
             .memory = plan_.memory,
             .query = query,
             .rows = memory_.OnDevice(rows),
             .row_counts = memory_.OnDevice(counts),
             .outputs = parts,
             .lse = part_lse};
  merge_ = {batch_.queries, batch_.heads, batch_.latent_dim, plan_.splits,
            parts,          part_lse,     outputs,           lse};
  return "";
}

Error AttendCall::Start() {
  Error error = memory_.SendInputs();
  if (error.empty()) error = device_.Launch(slot_.stream, plan_.attend, attend_);
  if (error.empty() && plan_.splits > 1) {
    error = device_.Launch(slot_.stream, plan_.merge, merge_);
  }
  const size_t bytes = Heads() * batch_.latent_dim * sizeof(float);
  if (error.empty()) error = device_.Copy(slot_.stream, outputs_, merge_.outputs, bytes);
  if (error.empty()) {
    error = device_.Copy(slot_.stream, lse_, merge_.lse, Heads() * sizeof(float));
  }
  return error;
}

void AttendCall::Collect() const {
  std::copy_n(outputs_, Heads() * batch_.latent_dim, batch_.outputs);
  std::copy_n(lse_, Heads(), batch_.lse);
}

}  // namespace winnow::kernels::cuda
