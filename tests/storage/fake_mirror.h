#ifndef WINNOW_TESTS_STORAGE_FAKE_MIRROR_H_
#define WINNOW_TESTS_STORAGE_FAKE_MIRROR_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/error.h"
#include "storage/page_mirror.h"

namespace winnow {

// A device whose memory is the host's. What was written is to be seen only once it is published.
// Thread-safe.
class FakeMirror final : public PageMirror {
 public:
  explicit FakeMirror(uint64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  Copy Add(size_t page_bytes) override { return Take(page_bytes, capacity_bytes_, &used_bytes_); }
  Copy AddTable(size_t bytes) override { return Take(bytes, table_capacity_bytes_, &table_bytes_); }

  absl::Status Write(const Copy& copy, size_t offset, std::span<const std::byte> bytes) override {
    if (on_write_) on_write_();
    absl::MutexLock lock(&mu_);
    if (fails_) return Error(absl::StatusCode::kInternal, "DEVICE_FAILED", "told to");
    std::memcpy(copy.get() + offset, bytes.data(), bytes.size());
    written_bytes_ += bytes.size();
    unpublished_ = true;
    return absl::OkStatus();
  }

  absl::Status Publish() override {
    absl::MutexLock lock(&mu_);
    unpublished_ = false;
    return absl::OkStatus();
  }

  Usage usage() const override {
    absl::MutexLock lock(&mu_);
    return {.used_bytes = used_bytes_, .capacity_bytes = capacity_bytes_};
  }

  // To be set before there are threads; there is no limit to begin with.
  void LimitTables(uint64_t capacity_bytes) { table_capacity_bytes_ = capacity_bytes; }
  uint64_t table_bytes() const {
    absl::MutexLock lock(&mu_);
    return table_bytes_;
  }
  void Fail() {
    absl::MutexLock lock(&mu_);
    fails_ = true;
  }
  // Runs before each write; to be set before there are threads.
  void OnWrite(std::function<void()> run) { on_write_ = std::move(run); }

  bool unpublished() const {
    absl::MutexLock lock(&mu_);
    return unpublished_;
  }
  uint64_t written_bytes() const {
    absl::MutexLock lock(&mu_);
    return written_bytes_;
  }

 private:
  Copy Take(size_t bytes, uint64_t capacity_bytes, uint64_t* used_bytes) {
    {
      absl::MutexLock lock(&mu_);
      if (*used_bytes + bytes > capacity_bytes) return nullptr;
      *used_bytes += bytes;
    }
    auto* memory = new std::byte[bytes];
    std::memset(memory, 0xee, bytes);
    return Copy(memory, [this, bytes, used_bytes](std::byte* gone) {
      delete[] gone;
      absl::MutexLock lock(&mu_);
      *used_bytes -= bytes;
    });
  }

  const uint64_t capacity_bytes_;
  uint64_t table_capacity_bytes_ = UINT64_MAX;
  std::function<void()> on_write_;

  mutable absl::Mutex mu_;
  uint64_t used_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t table_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t written_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool fails_ ABSL_GUARDED_BY(mu_) = false;
  bool unpublished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace winnow

#endif  // WINNOW_TESTS_STORAGE_FAKE_MIRROR_H_
