#include "storage/page_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow {
namespace {

// A multiple of the 2 MiB huge page, small enough that a few empty shards cost nothing.
constexpr size_t kSlabBytes = size_t{8} << 20;
constexpr size_t kPageAlignment = 64;

size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

// Pages of one size. A slab is mapped lazily, so a page costs nothing before it is written.
class PageArena::SizeClass {
 public:
  struct Slab {
    std::byte* base = nullptr;
    size_t bytes = 0;
    uint32_t capacity = 0;
    uint32_t untouched = 0;          // first page that was never handed out, and so is zero
    std::vector<uint32_t> returned;  // handed out before, to be zeroed
    uint32_t used = 0;
    bool listed = false;  // is in roomy_
  };

  explicit SizeClass(size_t page_bytes) : stride_(RoundUp(page_bytes, kPageAlignment)) {}

  ~SizeClass() {
    for (const auto& slab : slabs_) munmap(slab->base, slab->bytes);
  }

  size_t stride() const { return stride_; }

  // Null if the system has no memory.
  std::byte* Take(Slab** from) {
    if (roomy_.empty() && !AddSlab()) return nullptr;
    Slab* slab = roomy_.back();
    uint32_t index = slab->untouched;
    if (slab->returned.empty()) {
      ++slab->untouched;
    } else {
      index = slab->returned.back();
      slab->returned.pop_back();
      std::memset(slab->base + index * stride_, 0, stride_);
    }
    ++slab->used;
    if (slab->used == slab->capacity) {
      roomy_.pop_back();
      slab->listed = false;
    }
    *from = slab;
    return slab->base + index * stride_;
  }

  void Return(Slab* slab, std::byte* page) {
    slab->returned.push_back(static_cast<uint32_t>((page - slab->base) / stride_));
    --slab->used;
    if (!slab->listed) {
      slab->listed = true;
      roomy_.push_back(slab);
    }
    // One with room is kept, so that a page taken and returned does not map and unmap each time.
    if (slab->used == 0 && roomy_.size() > 1) RemoveSlab(slab);
  }

 private:
  bool AddSlab() {
    auto slab = std::make_unique<Slab>();
    slab->bytes = std::max(kSlabBytes, RoundUp(stride_, kSlabBytes));
    void* memory = mmap(nullptr, slab->bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    // Only a hint: a scan of large pages misses the TLB less.
    madvise(memory, slab->bytes, MADV_HUGEPAGE);
    slab->base = static_cast<std::byte*>(memory);
    slab->capacity = static_cast<uint32_t>(slab->bytes / stride_);
    slab->listed = true;
    roomy_.push_back(slab.get());
    slabs_.push_back(std::move(slab));
    return true;
  }

  void RemoveSlab(Slab* slab) {
    munmap(slab->base, slab->bytes);
    roomy_.erase(std::find(roomy_.begin(), roomy_.end(), slab));
    slabs_.erase(std::find_if(slabs_.begin(), slabs_.end(),
                              [slab](const auto& held) { return held.get() == slab; }));
  }

  const size_t stride_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::vector<Slab*> roomy_;
};

PageArena::PageArena(size_t budget_bytes) : budget_bytes_(budget_bytes) {}
PageArena::~PageArena() = default;

absl::StatusOr<PageArena::Page> PageArena::Allocate(size_t page_bytes) {
  SizeClass* size_class = nullptr;
  SizeClass::Slab* slab = nullptr;
  std::byte* memory = nullptr;
  {
    absl::MutexLock lock(&mu_);
    if (budget_bytes_ != 0 && page_bytes > budget_bytes_ - std::min(budget_bytes_, used_bytes_)) {
      return Error(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET",
                   absl::StrCat("a page of ", page_bytes, " bytes does not fit into the budget: ",
                                used_bytes_, " of ", budget_bytes_,
                                " bytes are held; delete contexts or raise --memory-budget"),
                   {{"needed_bytes", absl::StrCat(page_bytes)},
                    {"free_bytes", absl::StrCat(budget_bytes_ - used_bytes_)}});
    }
    std::unique_ptr<SizeClass>& found = classes_[page_bytes];
    if (found == nullptr) found = std::make_unique<SizeClass>(page_bytes);
    size_class = found.get();
    memory = size_class->Take(&slab);
    if (memory != nullptr) used_bytes_ += page_bytes;
  }
  if (memory == nullptr) {
    return Error(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET",
                 "the system has no memory left for pages",
                 {{"needed_bytes", absl::StrCat(page_bytes)}, {"free_bytes", "0"}});
  }
  return Page(memory, [this, size_class, slab, page_bytes](std::byte* page) {
    absl::MutexLock lock(&mu_);
    size_class->Return(slab, page);
    used_bytes_ -= page_bytes;
  });
}

size_t PageArena::used_bytes() const {
  absl::MutexLock lock(&mu_);
  return used_bytes_;
}

}  // namespace winnow
