#include "storage/page_set.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/entry_checksum.h"
#include "storage/error.h"

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
    : profile_(std::move(profile)),
      plane_(plane),
      arena_(arena),
      mirror_(mirror),
      table_(kStripePages) {}

size_t PageSet::page_bytes() const {
  return plane_ == Plane::kIndex ? kernels::KeyPageBytes(profile_->key_format, profile_->index_dim)
                                 : kPageEntries * profile_->row_bytes();
}

absl::Status PageSet::Reserve(uint32_t end) {
  uint32_t first_new = kStripePages;
  for (uint32_t page = 0; page < PagesFor(end); ++page) {
    if (pages_[page].host != nullptr) continue;
    absl::StatusOr<PageArena::Page> host = arena_->Allocate(page_bytes());
    if (!host.ok()) return host.status();
    pages_[page].host = *std::move(host);
    if (mirror_ == nullptr) continue;
    pages_[page].copy = mirror_->Add(page_bytes());
    pages_[page].last_copy = std::make_shared<LastCopy>();
    first_new = std::min(first_new, page);
  }
  // The list only grows at its end, and readers may know of what is beyond it: once it has been
  // passed by a page that found no place, the set lists no more.
  if (table_.listed() == first_new) ListPages(mirror_, PagesFor(end)).IgnoreError();
  CountPages();
  return absl::OkStatus();
}

void PageSet::Trim(uint32_t entries) {
  for (uint32_t page = PagesFor(entries); page < kStripePages; ++page) pages_[page] = {};
  table_.Trim(PagesFor(entries));
  CountPages();
}

absl::Status PageSet::ListPages(PageMirror* by, uint32_t end) {
  if (by == nullptr || plane_ != Plane::kIndex) return absl::OkStatus();
  std::array<const std::byte*, kStripePages> copies;
  size_t count = 0;
  for (uint32_t page = table_.listed(); page < end && pages_[page].copy != nullptr; ++page) {
    copies[count++] = pages_[page].copy.get();
  }
  return table_.List(*by, std::span(copies).first(count));
}

void PageSet::CountPages() {
  const auto held =
      std::ranges::count_if(pages_, [](const Page& page) { return page.host != nullptr; });
  const auto mirrored =
      std::ranges::count_if(pages_, [](const Page& page) { return page.copy != nullptr; });
  mirrored_ = static_cast<uint32_t>(mirrored);
  unmirrored_ = static_cast<uint32_t>(held - mirrored);
}

absl::Status PageSet::Mirror(PageMirror* by, const Page& page, uint32_t first,
                             uint32_t count) const {
  if (page.copy == nullptr) return absl::OkStatus();
  size_t at = 0, bytes = page_bytes();
  // A key's bytes lie all over the page. What the page held before is sent again as it is, so a
  // kernel that reads it meanwhile finds no difference.
  if (plane_ == Plane::kKv) {
    at = first * profile_->row_bytes();
    bytes = count * profile_->row_bytes();
  }
  absl::Status status = by->Write(page.copy, at, {page.host.get() + at, bytes});
  // From now on the page never changes; not before, as a copy that is let go falls behind.
  if (status.ok() && first + count == kPageEntries) page.last_copy->Set(page.copy);
  return status;
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
    // An append does not depend on the device: one that failed says so to every query.
    Mirror(mirror_, page, at, n).IgnoreError();
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

std::shared_ptr<PageSet> PageSet::Share(uint32_t pages) const {
  auto set = std::make_shared<PageSet>(profile_, plane_, arena_, mirror_);
  std::copy_n(pages_.begin(), pages, set->pages_.begin());
  set->CountPages();
  if (damaged()) set->MarkDamaged();
  return set;
}

std::shared_ptr<PageSet> PageSet::WithoutCopies() const {
  std::shared_ptr<PageSet> set = Share(kStripePages);
  for (Page& page : set->pages_) page.copy = nullptr;
  set->CountPages();
  return set;
}

absl::StatusOr<std::shared_ptr<PageSet>> PageSet::WithCopies(uint32_t entries) const {
  std::shared_ptr<PageSet> set = Share(kStripePages);
  PageMirror* const background = &mirror_->background();
  // All room is taken before anything is sent.
  std::vector<uint32_t> fresh;
  for (uint32_t number = 0; number < PagesFor(entries); ++number) {
    Page& page = set->pages_[number];
    if (page.copy == nullptr) page.copy = page.last_copy->Find();
    if (page.copy != nullptr) continue;
    page.copy = mirror_->Add(page_bytes());
    fresh.push_back(number);
    if (page.copy != nullptr) continue;
    return Error(
        absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY",
        absl::StrCat("the device has no room for ", unmirrored_bytes(), " bytes of pages"));
  }
  for (const uint32_t number : fresh) {
    const uint32_t count = std::min<uint32_t>(kPageEntries, entries - number * kPageEntries);
    if (absl::Status status = Mirror(background, set->pages_[number], 0, count); !status.ok())
      return status;
  }
  if (absl::Status status = set->ListPages(background, PagesFor(entries)); !status.ok())
    return status;
  set->CountPages();
  return set;
}

absl::StatusOr<std::shared_ptr<PageSet>> PageSet::Fork(uint32_t entries) const {
  std::shared_ptr<PageSet> fork = Share(entries / kPageEntries);
  fork->ListPages(mirror_, entries / kPageEntries).IgnoreError();
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
