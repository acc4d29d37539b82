#include "services/shard/cold_scan.h"

#include <algorithm>
#include <utility>

#include "services/shard/start_threads.h"

namespace winnow::shard {
namespace {

using kernels::kPageEntries;

constexpr size_t kReaders = 4;
// Ranges, of a stripe each, that are being read or wait to be scored.
constexpr size_t kAhead = 12;
constexpr size_t kAlignment = 64;

}  // namespace

ColdScan::ColdScan(const Profile& profile, EntryStore* store, std::vector<StoredRange> ranges,
                   absl::Time deadline)
    : profile_(profile), store_(*store), ranges_(std::move(ranges)), deadline_(deadline) {
  readers_ = StartThreads(std::min(kReaders, ranges_.size()), [this] { Read(); });
}

ColdScan::~ColdScan() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  for (std::thread& reader : readers_) reader.join();
}

bool ColdScan::MayRead() const {
  return stopping_ || !status_.ok() || next_ == ranges_.size() || next_ < given_ + kAhead;
}

bool ColdScan::HasNews() const {
  return !status_.ok() || !arrived_.empty() || given_ == ranges_.size();
}

absl::StatusOr<ColdScan::Chunk> ColdScan::ReadChunk(const StoredRange& range) const {
  const uint32_t count = range.end - range.first;
  const size_t key_bytes = profile_.key_bytes();
  const auto keys = std::make_unique_for_overwrite<std::byte[]>(count * key_bytes);
  absl::Status status = store_.ReadKeys(range, key_bytes, deadline_, keys.get());
  if (!status.ok()) return status;
  const size_t page_bytes = kernels::KeyPageBytes(profile_.key_format, profile_.index_dim);
  const size_t stride = (page_bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t bytes = (count + kPageEntries - 1) / kPageEntries * stride;
  Chunk chunk = {.memory = std::make_unique_for_overwrite<std::byte[]>(bytes + kAlignment)};
  void* place = chunk.memory.get();
  size_t space = bytes + kAlignment;
  auto* page = static_cast<std::byte*>(std::align(kAlignment, bytes, place, space));
  chunk.run = {.first_position = range.stripe * kStripeEntries + range.first,
               .entries = count,
               .packed = page,
               .packed_stride = stride};
  for (uint32_t at = 0; at < count; at += kPageEntries, page += stride) {
    const uint32_t entries = std::min<uint32_t>(kPageEntries, count - at);
    if (entries < kPageEntries) std::fill_n(page, page_bytes, std::byte{0});
    kernels::ArrangeKeys(profile_.key_format, profile_.index_dim, keys.get() + at * key_bytes, 0,
                         static_cast<int>(entries), page);
  }
  return chunk;
}

std::optional<size_t> ColdScan::Take() {
  if (stopping_ || !status_.ok() || next_ == ranges_.size()) return std::nullopt;
  return next_++;
}

void ColdScan::Read() {
  while (true) {
    std::optional<size_t> mine;
    {
      absl::MutexLock lock(&mu_, absl::Condition(this, &ColdScan::MayRead));
      mine = Take();
    }
    if (!mine) return;
    ReadRange(*mine);
  }
}

void ColdScan::ReadRange(size_t range) {
  absl::StatusOr<Chunk> chunk = ReadChunk(ranges_[range]);
  absl::MutexLock lock(&mu_);
  if (chunk.ok()) {
    arrived_.push_back(*std::move(chunk));
  } else {
    status_.Update(chunk.status());
  }
}

absl::StatusOr<std::vector<ColdScan::Chunk>> ColdScan::Next() {
  if (readers_.empty()) {
    std::optional<size_t> mine;
    {
      absl::MutexLock lock(&mu_);
      mine = Take();
    }
    if (mine) ReadRange(*mine);
  }
  absl::MutexLock lock(&mu_, absl::Condition(this, &ColdScan::HasNews));
  if (!status_.ok()) return status_;
  given_ += arrived_.size();
  return std::exchange(arrived_, {});
}

}  // namespace winnow::shard
