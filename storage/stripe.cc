#include "storage/stripe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow {
namespace {

using kernels::kPageEntries;

// Runs fn(page, first entry in the page, count, entries before it in [begin, end)) over the pages
// that [begin, end) touches; stops and returns false as soon as fn does.
template <typename Fn>
bool ForEachPage(uint32_t begin, uint32_t end, Fn fn) {
  for (uint32_t at = begin; at < end;) {
    const uint32_t first = at % kPageEntries;
    const uint32_t count = std::min<uint32_t>(kPageEntries - first, end - at);
    if (!fn(at / kPageEntries, first, count, at - begin)) return false;
    at += count;
  }
  return true;
}

// First entry at which two entry-major arrays differ, or count.
uint32_t FirstDifference(const std::byte* a, const std::byte* b, uint32_t count, size_t bytes) {
  for (uint32_t i = 0; i < count; ++i) {
    if (std::memcmp(a + i * bytes, b + i * bytes, bytes) != 0) return i;
  }
  return count;
}

}  // namespace

struct Stripe::Layer {
  // Published with release after the bytes and page pointers below it were written.
  std::atomic<uint32_t> entries = 0;
  std::array<Page, kStripePages> key_pages;
  std::array<Page, kStripePages> row_pages;
};

Stripe::Stripe(std::shared_ptr<const Profile> profile, PageArena* arena, PageMirror* mirror)
    : profile_(std::move(profile)),
      arena_(arena),
      mirror_(mirror),
      layers_(profile_->layers.size()) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (profile_->stores(static_cast<int>(i))) layers_[i] = std::make_unique<Layer>();
  }
}

Stripe::~Stripe() = default;

uint32_t Stripe::entries(int layer) const {
  return layers_[layer] == nullptr ? 0 : layers_[layer]->entries.load(std::memory_order_acquire);
}

Place Stripe::KeyPage(int layer, uint32_t page) const {
  const Page& found = layers_[layer]->key_pages[page];
  return {.host = found.host.get(), .device = found.copy.get()};
}

Place Stripe::KvRow(int layer, uint32_t offset) const {
  const Page& page = layers_[layer]->row_pages[offset / kPageEntries];
  const size_t at = offset % kPageEntries * profile_->row_bytes();
  return {.host = page.host.get() + at,
          .device = page.copy == nullptr ? nullptr : page.copy.get() + at};
}

absl::Status Stripe::CheckOverlap(uint32_t offset, uint32_t count, const LayerBytes& bytes) const {
  const uint32_t held = entries(bytes.layer);
  if (offset > held) {
    return Error(absl::StatusCode::kOutOfRange, "APPEND_GAP",
                 absl::StrCat("append at entry ", offset, " of a stripe whose layer ", bytes.layer,
                              " has ", held, " entries"),
                 {{"entries", absl::StrCat(held)}, {"layer", absl::StrCat(bytes.layer)}});
  }
  const Layer& layer = *layers_[bytes.layer];
  const size_t key_bytes = profile_->has_index(bytes.layer) ? profile_->key_bytes() : 0;
  const size_t row_bytes = profile_->row_bytes();
  std::vector<std::byte> keys(kPageEntries * key_bytes);
  uint32_t conflict = 0;
  const bool equal = ForEachPage(
      offset, std::min(held, offset + count),
      [&](uint32_t page, uint32_t first, uint32_t entries, uint32_t before) {
        uint32_t same =
            FirstDifference(layer.row_pages[page].host.get() + first * row_bytes,
                            bytes.kv_rows.data() + before * row_bytes, entries, row_bytes);
        if (key_bytes != 0) {
          kernels::ExtractKeys(profile_->key_format, profile_->index_dim,
                               layer.key_pages[page].host.get(), static_cast<int>(first),
                               static_cast<int>(entries), keys.data());
          same = std::min(same,
                          FirstDifference(keys.data(), bytes.index_keys.data() + before * key_bytes,
                                          entries, key_bytes));
        }
        conflict = offset + before + same;
        return same == entries;
      });
  if (equal) return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, "APPEND_CONFLICT",
               absl::StrCat("entry ", conflict, " of the stripe's layer ", bytes.layer,
                            " is held with other bytes"),
               {{"offset", absl::StrCat(conflict)}, {"layer", absl::StrCat(bytes.layer)}});
}

absl::Status Stripe::Compare(uint32_t offset, uint32_t count,
                             std::span<const LayerBytes> layers) const {
  for (const LayerBytes& bytes : layers) {
    if (absl::Status status = CheckOverlap(offset, count, bytes); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Stripe::Page> Stripe::AllocatePage(size_t page_bytes) const {
  absl::StatusOr<PageArena::Page> host = arena_->Allocate(page_bytes);
  if (!host.ok()) return host.status();
  return Page{.host = *std::move(host),
              .copy = mirror_ == nullptr ? nullptr : mirror_->Add(page_bytes)};
}

absl::Status Stripe::AllocatePages(int layer, uint32_t end, std::vector<NewPage>* pages) const {
  const uint32_t held_pages = (entries(layer) + kPageEntries - 1) / kPageEntries;
  const uint32_t needed_pages = (end + kPageEntries - 1) / kPageEntries;
  for (uint32_t page = held_pages; page < needed_pages; ++page) {
    NewPage fresh = {.layer = layer, .page = page};
    if (profile_->has_index(layer)) {
      absl::StatusOr<Page> keys =
          AllocatePage(kernels::KeyPageBytes(profile_->key_format, profile_->index_dim));
      if (!keys.ok()) return keys.status();
      fresh.keys = *std::move(keys);
    }
    absl::StatusOr<Page> rows = AllocatePage(kPageEntries * profile_->row_bytes());
    if (!rows.ok()) return rows.status();
    fresh.rows = *std::move(rows);
    pages->push_back(std::move(fresh));
  }
  return absl::OkStatus();
}

// An append does not depend on the device: one that failed says so to every query.
void Stripe::MirrorEntries(const Page& keys, const Page& rows, uint32_t first,
                           uint32_t count) const {
  if (keys.copy != nullptr) {
    // The entries' bytes lie all over the page. What the page held before is sent again as it is,
    // so a kernel that reads it meanwhile finds no difference.
    mirror_
        ->Write(keys.copy, 0,
                {keys.host.get(), kernels::KeyPageBytes(profile_->key_format, profile_->index_dim)})
        .IgnoreError();
  }
  if (rows.copy != nullptr) {
    const size_t at = first * profile_->row_bytes();
    mirror_->Write(rows.copy, at, {rows.host.get() + at, count * profile_->row_bytes()})
        .IgnoreError();
  }
}

void Stripe::PublishMirror() const {
  if (mirror_ != nullptr) mirror_->Publish().IgnoreError();
}

void Stripe::Write(uint32_t offset, uint32_t count, const LayerBytes& bytes) {
  Layer& layer = *layers_[bytes.layer];
  const uint32_t held = entries(bytes.layer);
  const bool has_index = profile_->has_index(bytes.layer);
  const size_t key_bytes = profile_->key_bytes();
  const size_t row_bytes = profile_->row_bytes();
  ForEachPage(
      held, offset + count, [&](uint32_t page, uint32_t first, uint32_t entries, uint32_t before) {
        const size_t from = held - offset + before;
        std::memcpy(layer.row_pages[page].host.get() + first * row_bytes,
                    bytes.kv_rows.data() + from * row_bytes, entries * row_bytes);
        if (has_index) {
          kernels::ArrangeKeys(profile_->key_format, profile_->index_dim,
                               bytes.index_keys.data() + from * key_bytes, static_cast<int>(first),
                               static_cast<int>(entries), layer.key_pages[page].host.get());
        }
        MirrorEntries(layer.key_pages[page], layer.row_pages[page], first, entries);
        return true;
      });
}

absl::StatusOr<uint64_t> Stripe::Append(uint32_t offset, uint32_t count,
                                        std::span<const LayerBytes> layers) {
  absl::MutexLock lock(&append_mu_);
  const uint32_t end = offset + count;
  std::vector<NewPage> pages;
  if (absl::Status status = Compare(offset, count, layers); !status.ok()) return status;
  for (const LayerBytes& bytes : layers) {
    if (absl::Status status = AllocatePages(bytes.layer, end, &pages); !status.ok()) return status;
  }
  for (NewPage& fresh : pages) {
    layers_[fresh.layer]->key_pages[fresh.page] = std::move(fresh.keys);
    layers_[fresh.layer]->row_pages[fresh.page] = std::move(fresh.rows);
  }
  uint64_t written = 0;
  for (const LayerBytes& bytes : layers) {
    if (entries(bytes.layer) >= end) continue;
    Write(offset, count, bytes);
    written += end - entries(bytes.layer);
  }
  PublishMirror();
  for (const LayerBytes& bytes : layers) {
    std::atomic<uint32_t>& published = layers_[bytes.layer]->entries;
    if (published.load(std::memory_order_relaxed) < end) {
      published.store(end, std::memory_order_release);
    }
  }
  return written;
}

absl::Status Stripe::CopyPartialPage(const Layer& from, int layer, uint32_t entries,
                                     Layer* to) const {
  const uint32_t page = entries / kPageEntries;
  const uint32_t count = entries % kPageEntries;
  std::vector<NewPage> fresh;
  if (absl::Status status = AllocatePages(layer, entries, &fresh); !status.ok()) return status;
  NewPage& copy = fresh.back();
  std::memcpy(copy.rows.host.get(), from.row_pages[page].host.get(), count * profile_->row_bytes());
  if (copy.keys.host != nullptr) {
    std::vector<std::byte> keys(count * profile_->key_bytes());
    kernels::ExtractKeys(profile_->key_format, profile_->index_dim, from.key_pages[page].host.get(),
                         0, static_cast<int>(count), keys.data());
    kernels::ArrangeKeys(profile_->key_format, profile_->index_dim, keys.data(), 0,
                         static_cast<int>(count), copy.keys.host.get());
  }
  MirrorEntries(copy.keys, copy.rows, 0, count);
  to->key_pages[page] = std::move(copy.keys);
  to->row_pages[page] = std::move(copy.rows);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Stripe>> Stripe::Fork(uint32_t entries) const {
  auto fork = std::make_shared<Stripe>(profile_, arena_, mirror_);
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i] == nullptr) continue;
    const auto layer = static_cast<int>(i);
    const uint32_t kept = std::min(entries, this->entries(layer));
    const uint32_t full_pages = kept / kPageEntries;
    Layer& to = *fork->layers_[i];
    std::copy_n(layers_[i]->key_pages.begin(), full_pages, to.key_pages.begin());
    std::copy_n(layers_[i]->row_pages.begin(), full_pages, to.row_pages.begin());
    to.entries.store(full_pages * kPageEntries, std::memory_order_relaxed);
    if (kept % kPageEntries != 0) {
      absl::Status status = fork->CopyPartialPage(*layers_[i], layer, kept, &to);
      if (!status.ok()) return status;
    }
    to.entries.store(kept, std::memory_order_release);
  }
  fork->PublishMirror();
  return fork;
}

}  // namespace winnow
