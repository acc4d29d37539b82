#include <algorithm>
#include <numeric>

#include "services/shard/gpu_compute.h"
#include "services/shard/gpu_staging.h"

namespace winnow::shard {
namespace {

using kernels::cuda::AttendQuery;

// Rounding of the parts of a call's pinned memory.
constexpr size_t kPinnedSlack = 4096;

bool Alike(const Profile& a, const Profile& b) {
  return a.row_format == b.row_format && a.query_heads == b.query_heads &&
         a.latent_dim == b.latent_dim && a.rope_dim == b.rope_dim &&
         a.softmax_scale == b.softmax_scale;
}

}  // namespace

GpuCompute::AttendNeed GpuCompute::NeedOfRow(const AttendWork& work, size_t row) {
  const Profile& profile = work.profile;
  const std::vector<Place>& rows = work.rows[row];
  const auto warm = std::ranges::count(rows, nullptr, &Place::device);
  const size_t head_bytes =
      profile.attend_query_bytes() + sizeof(float) * (size_t{1} + profile.latent_dim);
  return {.rows = 1,
          .most_rows = rows.size(),
          .staged_bytes = StagedBytes(profile.row_bytes()) * static_cast<size_t>(warm),
          .head_bytes = profile.query_heads * head_bytes};
}

bool GpuCompute::Fits(const AttendNeed& need) const {
  // A launch has as many addresses for each query row as for the one with most.
  const size_t pinned_bytes =
      kPinnedSlack + need.head_bytes + need.rows * need.most_rows * sizeof(void*);
  return need.rows <= kernels::kMaxQueryRows && need.staged_bytes <= options_.staging_bytes &&
         pinned_bytes <= options_.pinned_bytes;
}

absl::StatusOr<size_t> GpuCompute::RowsThatFit(const AttendWork& work, size_t first) const {
  AttendNeed need;
  size_t last = first;
  for (; last < work.rows.size(); ++last) {
    need.Add(NeedOfRow(work, last));
    if (!Fits(need)) break;
  }
  if (last > first) return last - first;
  return Error(absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY",
               absl::StrCat("a query row needs ", need.staged_bytes, " bytes of staging and ",
                            need.head_bytes + need.most_rows * sizeof(void*),
                            " of pinned memory; there are ", options_.staging_bytes, " and ",
                            options_.pinned_bytes));
}

absl::Status GpuCompute::AttendTogether(std::span<const AttendRows> parts, const Staging& staging) {
  const Profile& profile = parts[0].work->profile;
  StagingWriter writer(staging);
  std::vector<std::vector<const std::byte*>> placed;
  std::vector<AttendQuery> queries;
  for (const AttendRows& part : parts) {
    for (size_t t = part.first; t < part.first + part.count; ++t) {
      std::vector<const std::byte*>& rows = placed.emplace_back();
      for (const Place& row : part.work->rows[t]) {
        absl::Status status =
            CheckDevice(writer.Bring(row, profile.row_bytes(), &rows.emplace_back()));
        if (!status.ok()) return status;
      }
      const size_t head = t * profile.query_heads;
      queries.push_back({.query = part.work->queries + head * profile.attend_query_bytes(),
                         .rows = rows,
                         .outputs = part.work->outputs + head * profile.latent_dim,
                         .lse = part.work->lse + head});
    }
  }
  return CheckDevice(backend_->TryAttend({.format = profile.row_format,
                                          .heads = profile.query_heads,
                                          .latent_dim = profile.latent_dim,
                                          .rope_dim = profile.rope_dim,
                                          .softmax_scale = profile.softmax_scale,
                                          .queries = queries},
                                         staging.uploads));
}

absl::Status GpuCompute::AttendInParts(const AttendWork& work, const Staging& staging) {
  for (size_t first = 0; first < work.rows.size();) {
    const absl::StatusOr<size_t> count = RowsThatFit(work, first);
    if (!count.ok()) return count.status();
    const AttendRows part{&work, first, *count};
    if (absl::Status status = AttendTogether({&part, 1}, staging); !status.ok()) return status;
    first += *count;
  }
  return absl::OkStatus();
}

bool GpuCompute::AttendsTogether(std::span<const AttendTask* const> batch,
                                 const AttendTask& task) const {
  if (!Alike(batch[0]->work.profile, task.work.profile)) return false;
  AttendNeed need = task.need;
  for (const AttendTask* other : batch) need.Add(other->need);
  return Fits(need);
}

absl::Status GpuCompute::Attend(const AttendWork& work) {
  const Profile& profile = work.profile;
  if (!backend_->CanAttend(profile.row_format, profile.latent_dim, profile.rope_dim)) {
    return cpu_->Attend(work);
  }
  using Batch = std::vector<const AttendTask*>;
  AttendTask task{work, {}};
  for (size_t row = 0; row < work.rows.size(); ++row) task.need.Add(NeedOfRow(work, row));
  return attend_queue_->Do(
      task,
      [this](const Batch& batch, const AttendTask& other) { return AttendsTogether(batch, other); },
      [this](const Batch& batch, const Staging& staging) {
        // What does not fit one launch is never one of several.
        if (!Fits(batch[0]->need)) return AttendInParts(batch[0]->work, staging);
        std::vector<AttendRows> parts;
        for (const AttendTask* one : batch) parts.push_back({&one->work, 0, one->work.rows.size()});
        return AttendTogether(parts, staging);
      });
}

}  // namespace winnow::shard
