#ifndef WINNOW_TESTS_SHARD_TIERED_CONTEXTS_H_
#define WINNOW_TESTS_SHARD_TIERED_CONTEXTS_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/shard/device_tier.h"
#include "tests/storage/fake_mirror.h"
#include "tests/support/sample.h"

namespace winnow::shard {

inline constexpr uint32_t kEntries = 10 * kernels::kPageEntries;
inline constexpr absl::Duration kIdle = absl::Seconds(10);

// Contexts with copies on a stand-in for a device.
class DeviceTierTest : public ::testing::Test {
 protected:
  const Profile& profile() const { return *sample_.profile(); }
  uint64_t index_page() const {
    return kernels::KeyPageBytes(profile().key_format, profile().index_dim);
  }
  uint64_t kv_page() const { return kernels::kPageEntries * profile().row_bytes(); }
  // Of a context with all entries.
  uint64_t index_bytes() const { return kEntries / kernels::kPageEntries * index_page(); }
  uint64_t kv_bytes() const { return kEntries / kernels::kPageEntries * kv_page(); }
  uint64_t used_bytes() const { return mirror_->usage().used_bytes; }

  void Start(uint64_t capacity_bytes) { mirror_.emplace(capacity_bytes); }
  void StartWithRoomFor(int contexts) { Start(contexts * (index_bytes() + kv_bytes())); }

  std::shared_ptr<Context> Add(const std::string& id, uint32_t entries = kEntries) {
    const std::shared_ptr<Context> context =
        Context::Create({.profile = sample_.profile(),
                         .arena = &arena_,
                         .mirror = &*mirror_,
                         .record = {.context_id = id, .durability = Durability::kMemory}})
            .value();
    absl::MutexLock lock(&mu_);
    contexts_.push_back(context);
    Append(*context, 0, entries);
    return context;
  }
  void Append(Context& context, uint32_t start, uint32_t count) {
    const auto result = context.Append(
        shard::Append{.offset = start, .count = count, .layers = sample_.Layers(start, count)});
    EXPECT_TRUE(result.ok()) << result.status();
  }
  void DropAll(Context& context) {
    for (const Plane plane : {Plane::kIndex, Plane::kKv}) context.DropCopies(plane, UINT64_MAX);
  }
  // It was used later than all others then.
  void Use(Context& context) {
    do context.Touch();
    while (context.last_used() <= last_use_);
    last_use_ = context.last_used();
  }

  ListContextsFn Contexts() {
    return [this] {
      absl::MutexLock lock(&mu_);
      return contexts_;
    };
  }
  // A tier for calls on this thread, at a time that stands still.
  DeviceTier TierAt(absl::Time now) {
    return {&*mirror_, Contexts(), {.idle = kIdle, .now = [now] { return now; }}};
  }
  absl::Time later() const { return last_use_ + 2 * kIdle; }

  // Shares of the planes that have copies, in pages.
  void ExpectCopies(const Context& context, uint64_t index_pages, uint64_t kv_pages) const {
    EXPECT_EQ(context.mirrored_bytes(Plane::kIndex) / index_page(), index_pages) << context.id();
    EXPECT_EQ(context.mirrored_bytes(Plane::kKv) / kv_page(), kv_pages) << context.id();
  }
  bool IsMirrored(const Context& context) const {
    return context.mirrored_bytes(Plane::kIndex) == index_bytes() &&
           context.mirrored_bytes(Plane::kKv) == kv_bytes();
  }

  winnow::testing::Sample sample_{winnow::testing::TinyProfile(), kEntries, kernels::TestSeed()};
  PageArena arena_{0};
  std::optional<FakeMirror> mirror_;
  absl::Time last_use_ = absl::InfinitePast();
  absl::Mutex mu_;
  std::vector<std::shared_ptr<Context>> contexts_;
};

}  // namespace winnow::shard

#endif  // WINNOW_TESTS_SHARD_TIERED_CONTEXTS_H_
