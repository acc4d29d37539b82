#include "storage/page_set.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "storage/entry_checksum.h"

namespace winnow {
namespace {

using kernels::kPageEntries;

uint32_t PagesFor(uint32_t entries) { return (entries + kPageEntries - 1) / kPageEntries; }

// Runs fn(page, first entry in the page, count, entries before it in [begin, end)) over the pages
// that [begin, end) touches.
template <typename Fn>
void ForEachPage(uint32_t begin, uint32_t end, Fn fn) {
  for (uint32_t at = begin; at < end;) {
    const uint32_t first = at % kPageEntries;
    const uint32_t count = std::min<uint32_t>(kPageEntries - first, end - at);
    fn(at / kPageEntries, first, count, at - begin);
    at += count;
  }
}

}  // namespace

const char* PlaneName(Plane plane) { return plane == Plane::kIndex ? "index" : "kv"; }

PageSet::PageSet(std::shared_ptr<const Profile> profile, Plane plane, PageArena* arena,
                 PageMirror* mirror)
    : profile_(std::move(profile)), plane_(plane), arena_(arena), mirror_(mirror) {}

size_t PageSet::page_bytes() const {
  return plane_ == Plane::kIndex ? kernels::KeyPageBytes(profile_->key_format, profile_->index_dim)
                                 : kPageEntries * profile_->row_bytes();
}

absl::Status PageSet::Reserve(uint32_t end) {
  for (uint32_t page = 0; page < PagesFor(end); ++page) {
    if (pages_[page].host != nullptr) continue;
    absl::StatusOr<PageArena::Page> host = arena_->Allocate(page_bytes());
    if (!host.ok()) return host.status();
    pages_[page].host = *std::move(host);
    if (mirror_ != nullptr) pages_[page].copy = mirror_->Add(page_bytes());
  }
  return absl::OkStatus();
}

void PageSet::Trim(uint32_t entries) {
  for (uint32_t page = PagesFor(entries); page < kStripePages; ++page) pages_[page] = {};
}

// An append does not depend on the device: one that failed says so to every query.
void PageSet::Mirror(const Page& page, uint32_t first, uint32_t count) const {
  if (page.copy == nullptr) return;
  if (plane_ == Plane::kIndex) {
    // The entries' bytes lie all over the page. What the page held before is sent again as it is,
    // so a kernel that reads it meanwhile finds no difference.
    mirror_->Write(page.copy, 0, {page.host.get(), page_bytes()}).IgnoreError();
  } else {
    const size_t at = first * profile_->row_bytes();
    mirror_->Write(page.copy, at, {page.host.get() + at, count * profile_->row_bytes()})
        .IgnoreError();
  }
}

void PageSet::Write(uint32_t first, uint32_t count, const std::byte* entries) {
  const size_t bytes = EntryBytes(*profile_, plane_);
  ForEachPage(first, first + count, [&](uint32_t number, uint32_t at, uint32_t n, uint32_t before) {
    Page& page = pages_[number];
    const std::byte* from = entries + before * bytes;
    if (plane_ == Plane::kIndex) {
      kernels::ArrangeKeys(profile_->key_format, profile_->index_dim, from, static_cast<int>(at),
                           static_cast<int>(n), page.host.get());
    } else {
      std::memcpy(page.host.get() + at * bytes, from, n * bytes);
    }
    page.checksum += SumOfEntries(from, n, bytes, first + before);
    Mirror(page, at, n);
  });
}

void PageSet::Read(uint32_t first, uint32_t count, std::byte* entries) const {
  const size_t bytes = EntryBytes(*profile_, plane_);
  ForEachPage(first, first + count, [&](uint32_t number, uint32_t at, uint32_t n, uint32_t before) {
    const std::byte* page = pages_[number].host.get();
    std::byte* to = entries + before * bytes;
    if (plane_ == Plane::kIndex) {
      kernels::ExtractKeys(profile_->key_format, profile_->index_dim, page, static_cast<int>(at),
                           static_cast<int>(n), to);
    } else {
      std::memcpy(to, page + at * bytes, n * bytes);
    }
  });
}

Place PageSet::row(uint32_t entry) const {
  const Page& page = pages_[entry / kPageEntries];
  const size_t at = entry % kPageEntries * profile_->row_bytes();
  return {.host = page.host.get() + at,
          .device = page.copy == nullptr ? nullptr : page.copy.get() + at};
}

absl::StatusOr<std::shared_ptr<PageSet>> PageSet::Fork(uint32_t entries) const {
  auto fork = std::make_shared<PageSet>(profile_, plane_, arena_, mirror_);
  const uint32_t full_pages = entries / kPageEntries;
  std::copy_n(pages_.begin(), full_pages, fork->pages_.begin());
  if (damaged()) fork->MarkDamaged();
  if (const uint32_t rest = entries % kPageEntries; rest != 0) {
    if (absl::Status status = fork->Reserve(entries); !status.ok()) return status;
    std::vector<std::byte> tail(rest * EntryBytes(*profile_, plane_));
    Read(entries - rest, rest, tail.data());
    fork->Write(entries - rest, rest, tail.data());
  }
  return fork;
}

bool PageSet::IsSound(uint32_t page, uint32_t entries) const {
  const size_t bytes = EntryBytes(*profile_, plane_);
  const uint32_t first = page * kPageEntries;
  const uint32_t count = std::min<uint32_t>(kPageEntries, entries - first);
  const auto read = std::make_unique_for_overwrite<std::byte[]>(count * bytes);
  Read(first, count, read.get());
  return SumOfEntries(read.get(), count, bytes, first) == pages_[page].checksum;
}

std::optional<uint32_t> PageSet::FindDamage(uint32_t entries) const {
  for (uint32_t page = 0; page < PagesFor(entries); ++page) {
    if (!IsSound(page, entries)) return page;
  }
  return std::nullopt;
}

}  // namespace winnow
