#include "kernels/cuda/attend_call.h"

#include <algorithm>
#include <cstring>

namespace winnow::kernels::cuda {

AttendCall::AttendCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
                       const AttendBatch& batch)
    : device_(device), limits_(limits), slot_(slot), batch_(batch), memory_(device, slot) {
  for (const AttendQuery& query : batch.queries) {
    most_rows_ = std::max(most_rows_, static_cast<uint32_t>(query.rows.size()));
  }
}

void AttendCall::PlaceInputs(std::byte* queries, const std::byte** rows, uint32_t* counts) const {
  const size_t query_bytes = size_t{2} * batch_.heads * (batch_.latent_dim + batch_.rope_dim);
  for (const AttendQuery& query : batch_.queries) {
    std::memcpy(queries, query.query, query_bytes);
    queries += query_bytes;
    std::ranges::copy(query.rows, rows);
    rows += most_rows_;
    *counts++ = static_cast<uint32_t>(query.rows.size());
  }
}

Error AttendCall::Prepare() {
  const AttendShape shape = {.format = batch_.format,
                             .queries = queries(),
                             .heads = batch_.heads,
                             .latent_dim = batch_.latent_dim,
                             .rope_dim = batch_.rope_dim,
                             .most_rows = most_rows_};
  if (Error error = PlanAttend(limits_, shape, &plan_); !error.empty()) {
    return error;
  }
  const size_t width = batch_.latent_dim + batch_.rope_dim;
  auto* const query = memory_.Input<std::byte>(Heads() * width * 2);
  auto* const rows = memory_.Input<const std::byte*>(size_t{1} * queries() * most_rows_);
  auto* const counts = memory_.Input<uint32_t>(queries());
  const size_t values = Heads() * batch_.latent_dim;
  outputs_ = memory_.Output<float>(values);
  lse_ = memory_.Output<float>(Heads());
  float* const outputs = memory_.OnDevice(outputs_);
  float* const lse = memory_.OnDevice(lse_);
  const bool split = plan_.splits > 1;
  auto* const parts = split ? memory_.Workspace<float>(plan_.splits * values) : outputs;
  auto* const part_lse = split ? memory_.Workspace<float>(plan_.splits * Heads()) : lse;
  if (Error error = memory_.Check(); !error.empty()) return error;
  PlaceInputs(query, rows, counts);
  attend_ = {.format = batch_.format,
             .way = plan_.way,
             .queries = queries(),
             .heads = batch_.heads,
             .latent_dim = batch_.latent_dim,
             .rope_dim = batch_.rope_dim,
             .splits = plan_.splits,
             .row_block = plan_.row_block,
             .row_stride = static_cast<int>(most_rows_),
             .softmax_scale = batch_.softmax_scale,
             .memory = plan_.memory,
             .query = memory_.OnDevice(query),
             .rows = memory_.OnDevice(rows),
             .row_counts = memory_.OnDevice(counts),
             .outputs = parts,
             .lse = part_lse};
  merge_ = {queries(), batch_.heads, batch_.latent_dim, plan_.splits,
            parts,     part_lse,     outputs,           lse};
  return "";
}

Error AttendCall::Start() {
  Error error = memory_.SendInputs();
  if (error.empty()) error = device_.Launch(slot_.stream, plan_.attend, attend_);
  if (error.empty() && plan_.splits > 1) {
    error = device_.Launch(slot_.stream, plan_.merge, merge_);
  }
  return error.empty() ? memory_.ReceiveOutputs() : error;
}

void AttendCall::Collect() const {
  const size_t values = size_t{1} * batch_.heads * batch_.latent_dim;
  for (size_t q = 0; q < batch_.queries.size(); ++q) {
    std::copy_n(outputs_ + q * values, values, batch_.queries[q].outputs);
    std::copy_n(lse_ + q * batch_.heads, batch_.heads, batch_.queries[q].lse);
  }
}

}  // namespace winnow::kernels::cuda
