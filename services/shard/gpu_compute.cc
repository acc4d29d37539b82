#include "services/shard/gpu_compute.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/shard/gpu_staging.h"

namespace winnow::shard {
namespace {

using kernels::cuda::CudaBackend;
using kernels::cuda::HbmArena;
using kernels::cuda::UploadQueue;

constexpr size_t kUploadBufferBytes = size_t{8} << 20;
constexpr int kUploadBuffers = 4;
// Of promotions, and of what a query stages: one thread fills each, and needs two in turn.
constexpr size_t kOtherBufferBytes = size_t{4} << 20;
constexpr int kOtherBuffers = 2;
// Of the device's free memory that pages and queries take together, if nobody says how much.
constexpr double kUsedShare = 0.9;

// Of lists of pages' addresses: a stripe's has 512 bytes, its 64 pages of keys 256 KiB and more,
// but for keys of less than 64 bytes. What has no list is listed by each query.
size_t TableBytes(size_t page_bytes) { return std::max(page_bytes / 512, HbmArena::kSlabBytes); }

// Of memory that is taken at the start: somebody else may have been faster.
absl::Status CheckMemory(const std::string& error) {
  if (error.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY",
               absl::StrCat("the GPU: ", error));
}

}  // namespace

class GpuCompute::Mirror final : public PageMirror {
 public:
  Mirror(HbmArena* arena, HbmArena* tables, UploadQueue* uploads, UploadQueue* promotions)
      : arena_(*arena), tables_(*tables), uploads_(*uploads), background_(this, promotions) {}

  Copy Add(size_t page_bytes) override { return TakeFrom(arena_, page_bytes); }
  Copy AddTable(size_t bytes) override { return TakeFrom(tables_, bytes); }
  absl::Status Write(const Copy& copy, size_t offset, std::span<const std::byte> bytes) override {
    return CheckDevice(uploads_.Upload(copy.get() + offset, bytes, ArenaOf(copy)));
  }
  absl::Status Publish() override { return CheckDevice(uploads_.Flush()); }
  PageMirror& background() override { return background_; }
  Usage usage() const override {
    return {.used_bytes = arena_.used_bytes(), .capacity_bytes = arena_.capacity_bytes()};
  }

 private:
  // What is made by it has arrived before a query learns of it, and before an append writes there.
  // So no query need wait for it, as queries wait for the appends before them.
  class Background final : public PageMirror {
   public:
    Background(Mirror* all, UploadQueue* uploads) : all_(*all), uploads_(*uploads) {}

    Copy Add(size_t page_bytes) override { return all_.Add(page_bytes); }
    Copy AddTable(size_t bytes) override { return all_.AddTable(bytes); }
    absl::Status Write(const Copy& copy, size_t offset, std::span<const std::byte> bytes) override {
      std::string error = uploads_.Upload(copy.get() + offset, bytes, all_.ArenaOf(copy));
      // Nothing may come where the memory's next owner writes.
      if (!error.empty()) (void)uploads_.Finish();
      return CheckDevice(error);
    }
    absl::Status Publish() override { return CheckDevice(uploads_.Finish()); }
    Usage usage() const override { return all_.usage(); }

   private:
    Mirror& all_;
    UploadQueue& uploads_;
  };

  static Copy TakeFrom(HbmArena& arena, size_t bytes) {
    std::byte* memory = arena.Take(bytes);
    if (memory == nullptr) return nullptr;
    return Copy(memory, [&arena](std::byte* gone) { arena.Return(gone); });
  }
  // Where the memory begins that the copy is of.
  const std::byte* ArenaOf(const Copy& copy) const {
    return (arena_.Holds(copy.get()) ? arena_ : tables_).memory();
  }

  HbmArena& arena_;
  HbmArena& tables_;
  UploadQueue& uploads_;
  Background background_;
};

GpuCompute::GpuCompute(std::unique_ptr<kernels::cuda::DeviceApi> device, std::string name,
                       const GpuOptions& options, std::unique_ptr<Compute> cpu)
    : device_(std::move(device)), name_(std::move(name)), options_(options), cpu_(std::move(cpu)) {}
GpuCompute::~GpuCompute() = default;

PageMirror* GpuCompute::mirror() { return mirror_.get(); }

absl::StatusOr<std::unique_ptr<GpuCompute>> GpuCompute::Create(
    std::unique_ptr<kernels::cuda::DeviceApi> device, const std::string& name,
    const GpuOptions& options, std::unique_ptr<Compute> cpu) {
  std::unique_ptr<GpuCompute> gpu(new GpuCompute(std::move(device), name, options, std::move(cpu)));
  if (absl::Status status = gpu->Init(); !status.ok()) return status;
  return gpu;
}

absl::StatusOr<Staging> GpuCompute::NewStaging(size_t bytes) {
  Staging staging{.bytes = bytes};
  if (absl::Status status = CheckMemory(device_->Allocate(bytes, &staging.device)); !status.ok()) {
    return status;
  }
  staging_memory_.emplace_back(staging.device, FreeOnDevice{device_.get()});
  absl::Status status = CheckDevice(UploadQueue::Create(*device_, kOtherBufferBytes, kOtherBuffers,
                                                        &staging_uploads_.emplace_back()));
  if (!status.ok()) return status;
  staging.uploads = staging_uploads_.back().get();
  return staging;
}

absl::Status GpuCompute::Init() {
  const size_t free_bytes = device_->properties().free_bytes;
  const size_t query_bytes =
      options_.concurrent_queries *
      (options_.workspace_bytes + options_.staging_bytes + kernels::cuda::kSlotStateBytes);
  const auto usable = static_cast<size_t>(kUsedShare * static_cast<double>(free_bytes));
  const size_t left = usable > query_bytes ? usable - query_bytes : 0;
  const size_t page_bytes = options_.page_bytes != 0  ? options_.page_bytes
                            : left > TableBytes(left) ? left - TableBytes(left)
                                                      : 0;
  const size_t table_bytes = TableBytes(page_bytes);
  if (page_bytes < HbmArena::kSlabBytes || page_bytes + table_bytes + query_bytes > free_bytes) {
    return Error(
        absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY",
        absl::StrCat(name_, " has ", free_bytes, " bytes of memory free, of ",
                     device_->properties().memory_bytes, "; ", query_bytes, " for queries and ",
                     std::max(page_bytes, HbmArena::kSlabBytes), " for pages do not fit"));
  }
  absl::Status status = CheckMemory(HbmArena::Create(*device_, page_bytes, &arena_));
  status.Update(CheckMemory(HbmArena::Create(*device_, table_bytes, &tables_)));
  status.Update(
      CheckDevice(UploadQueue::Create(*device_, kUploadBufferBytes, kUploadBuffers, &uploads_)));
  status.Update(CheckDevice(UploadQueue::Create(*device_, kOtherBufferBytes, kOtherBuffers,
                                                &promotions_, /*after=*/uploads_.get())));
  if (!status.ok()) return status;
  mirror_ =
      std::make_unique<Mirror>(arena_.get(), tables_.get(), uploads_.get(), promotions_.get());
  std::vector<Staging> stagings;
  for (int i = 0; i < options_.concurrent_queries; ++i) {
    absl::StatusOr<Staging> staging = NewStaging(options_.staging_bytes);
    if (!staging.ok()) return staging.status();
    stagings.push_back(*staging);
  }
  stagings_ = std::make_unique<StagingPool>(std::move(stagings));
  score_queue_ = std::make_unique<BatchQueue<ScoreTask>>(stagings_.get());
  attend_queue_ = std::make_unique<BatchQueue<AttendTask>>(stagings_.get());
  return CheckDevice(CudaBackend::Create(*device_,
                                         {.concurrent_queries = options_.concurrent_queries,
                                          .workspace_bytes = options_.workspace_bytes,
                                          .pinned_bytes = options_.pinned_bytes,
                                          .uploads = uploads_.get()},
                                         &backend_));
}

}  // namespace winnow::shard
