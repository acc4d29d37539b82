#include "services/shard/gpu_compute.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow::shard {
namespace {

using kernels::cuda::CudaBackend;
using kernels::cuda::HbmArena;
using kernels::cuda::UploadQueue;

constexpr size_t kUploadBufferBytes = size_t{8} << 20;
constexpr int kUploadBuffers = 4;
// Of the device's memory that pages and queries take together, if nobody says how much.
constexpr double kUsedShare = 0.9;
constexpr size_t kStagingAlignment = 256;
// Rounding of the parts of a query's pinned memory.
constexpr size_t kPinnedSlack = 4096;

absl::Status Check(const std::string& error) {
  if (error.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kInternal, "DEVICE_FAILED", absl::StrCat("the GPU: ", error));
}

size_t Aligned(size_t bytes) {
  return (bytes + kStagingAlignment - 1) / kStagingAlignment * kStagingAlignment;
}

// Hands out a staging's memory from its start.
class StagingWriter {
 public:
  StagingWriter(const Staging& staging, UploadQueue* uploads)
      : staging_(staging), uploads_(*uploads) {}

  // Where a kernel finds the bytes: their copy, or where they are brought to now.
  std::string Bring(const Place& place, size_t bytes, const std::byte** device) {
    *device = place.device;
    if (place.device != nullptr) return "";
    std::byte* to = staging_.device + used_;
    used_ += Aligned(bytes);
    *device = to;
    return uploads_.Upload(to, {place.host, bytes});
  }

 private:
  const Staging& staging_;
  UploadQueue& uploads_;
  size_t used_ = 0;
};

}  // namespace

class GpuCompute::Mirror final : public PageMirror {
 public:
  Mirror(HbmArena* arena, UploadQueue* uploads) : arena_(*arena), uploads_(*uploads) {}

  Copy Add(size_t page_bytes) override {
    std::byte* page = arena_.Take(page_bytes);
    if (page == nullptr) return nullptr;
    return Copy(page, [this](std::byte* gone) { arena_.Return(gone); });
  }
  absl::Status Write(const Copy& copy, size_t offset, std::span<const std::byte> bytes) override {
    return Check(uploads_.Upload(copy.get() + offset, bytes));
  }
  absl::Status Publish() override { return Check(uploads_.Flush()); }

 private:
  HbmArena& arena_;
  UploadQueue& uploads_;
};

GpuCompute::GpuCompute(std::unique_ptr<kernels::cuda::DeviceApi> device, std::string name,
                       const GpuOptions& options)
    : device_(std::move(device)), name_(std::move(name)), options_(options) {}
GpuCompute::~GpuCompute() = default;

PageMirror* GpuCompute::mirror() { return mirror_.get(); }

absl::StatusOr<std::unique_ptr<GpuCompute>> GpuCompute::Create(
    std::unique_ptr<kernels::cuda::DeviceApi> device, const std::string& name,
    const GpuOptions& options) {
  std::unique_ptr<GpuCompute> gpu(new GpuCompute(std::move(device), name, options));
  if (absl::Status status = gpu->Init(); !status.ok()) return status;
  return gpu;
}

absl::StatusOr<Staging> GpuCompute::NewStaging(size_t bytes) {
  Staging staging{.bytes = bytes};
  if (absl::Status status = Check(device_->Allocate(bytes, &staging.device)); !status.ok()) {
    return status;
  }
  staging_memory_.emplace_back(staging.device, FreeOnDevice{device_.get()});
  return staging;
}

absl::Status GpuCompute::Init() {
  const size_t memory_bytes = device_->properties().memory_bytes;
  const size_t query_bytes =
      options_.concurrent_queries * (options_.workspace_bytes + options_.staging_bytes);
  const auto usable = static_cast<size_t>(kUsedShare * static_cast<double>(memory_bytes));
  const size_t page_bytes = options_.page_bytes != 0 ? options_.page_bytes
                            : usable > query_bytes   ? usable - query_bytes
                                                     : 0;
  if (page_bytes < HbmArena::kSlabBytes || page_bytes + query_bytes > memory_bytes) {
    return Error(absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY",
                 absl::StrCat(name_, " has ", memory_bytes, " bytes of memory; ", query_bytes,
                              " for queries and ", std::max(page_bytes, HbmArena::kSlabBytes),
                              " for pages do not fit"));
  }
  absl::Status status = Check(HbmArena::Create(*device_, page_bytes, &arena_));
  status.Update(
      Check(UploadQueue::Create(*device_, kUploadBufferBytes, kUploadBuffers, &uploads_)));
  if (!status.ok()) return status;
  mirror_ = std::make_unique<Mirror>(arena_.get(), uploads_.get());
  std::vector<Staging> stagings;
  for (int i = 0; i < options_.concurrent_queries; ++i) {
    absl::StatusOr<Staging> staging = NewStaging(options_.staging_bytes);
    if (!staging.ok()) return staging.status();
    stagings.push_back(*staging);
  }
  stagings_ = std::make_unique<StagingPool>(std::move(stagings));
  return Check(CudaBackend::Create(*device_,
                                   {.concurrent_queries = options_.concurrent_queries,
                                    .workspace_bytes = options_.workspace_bytes,
                                    .pinned_bytes = options_.pinned_bytes,
                                    .uploads = uploads_.get()},
                                   &backend_));
}

absl::Status GpuCompute::ScorePart(const ScoreWork& work, std::span<const StoredPage> pages,
                                   const Staging& staging, kernels::ScoreTopKResult* result) {
  const size_t page_bytes = kernels::KeyPageBytes(work.query.format, work.query.dim);
  StagingWriter writer(staging, uploads_.get());
  std::vector<kernels::KeyPage> placed;
  placed.reserve(pages.size());
  for (const StoredPage& page : pages) {
    kernels::KeyPage& to = placed.emplace_back(kernels::KeyPage{
        .keys = nullptr, .first_position = page.first_position, .entries = page.entries});
    absl::Status status = Check(writer.Bring(page.keys, page_bytes, &to.keys));
    if (!status.ok()) return status;
  }
  return Check(backend_->TryScoreTopK({.query = work.query,
                                       .pages = placed,
                                       .visible_entries = work.visible_entries,
                                       .k = work.k,
                                       .cancelled = work.cancelled},
                                      result));
}

absl::StatusOr<size_t> GpuCompute::PagesThatFit(const ScoreWork& work, size_t first) const {
  const size_t page_bytes = Aligned(kernels::KeyPageBytes(work.query.format, work.query.dim));
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

absl::Status GpuCompute::Score(const ScoreWork& work, kernels::ScoreTopKResult* result) {
  const StagingPool::Loan loan(stagings_.get());
  result->selected.assign(work.query.rows, {});
  result->complete = true;
  for (size_t first = 0; first < work.pages.size();) {
    const absl::StatusOr<size_t> count = PagesThatFit(work, first);
    if (!count.ok()) return count.status();
    kernels::ScoreTopKResult part;
    absl::Status status = ScorePart(work, work.pages.subspan(first, *count), loan.staging(), &part);
    if (!status.ok()) return status;
    result->complete = part.complete;
    if (!part.complete) return absl::OkStatus();
    first += *count;
    // Mostly all pages are one part, and there is nothing to merge.
    for (int row = 0; row < work.query.rows; ++row) {
      std::vector<kernels::Candidate>& best = result->selected[row];
      if (best.empty()) {
        best = std::move(part.selected[row]);
        continue;
      }
      const std::span<const kernels::Candidate> lists[] = {best, part.selected[row]};
      std::vector<kernels::Candidate> merged;
      kernels::MergeCandidates(lists, work.k, &merged);
      best = std::move(merged);
    }
  }
  return absl::OkStatus();
}

absl::Status GpuCompute::AttendPart(const AttendWork& work, size_t first, size_t count,
                                    const Staging& staging) {
  const Profile& profile = work.profile;
  StagingWriter writer(staging, uploads_.get());
  std::vector<std::vector<const std::byte*>> placed(count);
  for (size_t t = 0; t < count; ++t) {
    for (const Place& row : work.rows[first + t]) {
      const std::byte*& to = placed[t].emplace_back();
      if (absl::Status status = Check(writer.Bring(row, profile.row_bytes(), &to)); !status.ok()) {
        return status;
      }
    }
  }
  const std::vector<std::span<const std::byte* const>> rows(placed.begin(), placed.end());
  const size_t heads = first * profile.query_heads;
  return Check(backend_->TryAttend({.format = profile.row_format,
                                    .queries = static_cast<int>(count),
                                    .heads = profile.query_heads,
                                    .latent_dim = profile.latent_dim,
                                    .rope_dim = profile.rope_dim,
                                    .softmax_scale = profile.softmax_scale,
                                    .query = work.queries + heads * profile.attend_query_bytes(),
                                    .rows = rows,
                                    .outputs = work.outputs + heads * profile.latent_dim,
                                    .lse = work.lse + heads}));
}

absl::StatusOr<size_t> GpuCompute::RowsThatFit(const AttendWork& work, size_t first) const {
  const Profile& profile = work.profile;
  const size_t row_bytes = Aligned(profile.row_bytes());
  const size_t head_bytes =
      profile.attend_query_bytes() + sizeof(float) * (size_t{1} + profile.latent_dim);
  size_t staged_bytes = 0, pinned_bytes = kPinnedSlack;
  size_t last = first;
  for (; last < work.rows.size(); ++last) {
    const std::vector<Place>& rows = work.rows[last];
    staged_bytes += row_bytes * static_cast<size_t>(std::count_if(
                                    rows.begin(), rows.end(),
                                    [](const Place& row) { return row.device == nullptr; }));
    pinned_bytes += profile.query_heads * head_bytes + rows.size() * sizeof(void*);
    if (staged_bytes > options_.staging_bytes || pinned_bytes > options_.pinned_bytes) break;
  }
  if (last > first) return last - first;
  return Error(absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY",
               absl::StrCat("a query row needs ", staged_bytes, " bytes of staging and ",
                            pinned_bytes, " of pinned memory; there are ", options_.staging_bytes,
                            " and ", options_.pinned_bytes));
}

absl::Status GpuCompute::Attend(const AttendWork& work) {
  const StagingPool::Loan loan(stagings_.get());
  for (size_t first = 0; first < work.rows.size();) {
    const absl::StatusOr<size_t> count = RowsThatFit(work, first);
    if (!count.ok()) return count.status();
    absl::Status status = AttendPart(work, first, *count, loan.staging());
    if (!status.ok()) return status;
    first += *count;
  }
  return absl::OkStatus();
}

}  // namespace winnow::shard
