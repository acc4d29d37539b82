#ifndef WINNOW_TESTS_SHARD_DISK_CONTEXTS_H_
#define WINNOW_TESTS_SHARD_DISK_CONTEXTS_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "services/shard/context.h"
#include "storage/entry_store.h"
#include "tests/support/sample.h"
#include "tests/support/temp_dir.h"

namespace winnow::shard {

// Contexts on one disk, in the order of their last use, without a shard around them.
class DiskContextsTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kEntries = 1024;

  explicit DiskContextsTest(size_t budget_bytes = size_t{64} << 20, rocksdb::Env* env = nullptr)
      : arena_(budget_bytes) {
    Recovery recovery;
    store_ = EntryStore::Open({.directory = dir_.path(), .env = env}, &recovery).value();
  }

  Context& Add(const std::string& id, Durability durability = Durability::kLogged) {
    ContextStorage storage = {
        .profile = sample_.profile(), .arena = &arena_, .store = store_.get()};
    storage.record = {
        .context_id = id, .tenant = "t", .profile = *sample_.profile(), .durability = durability};
    contexts_.push_back(Context::Create(std::move(storage)).value());
    EXPECT_TRUE(
        contexts_.back()
            ->Append({.context_id = id, .count = kEntries, .layers = sample_.Layers(0, kEntries)})
            .ok());
    absl::SleepFor(absl::Milliseconds(1));
    return *contexts_.back();
  }

  // Turns a bit of a row in memory.
  static void Damage(const Context& context, int layer) {
    const Place row = context.FindStripe(0)->Pages(layer, Plane::kKv).value()->row(100);
    const_cast<std::byte*>(row.host)[17] ^= std::byte{4};
  }

  const winnow::testing::TempDir dir_;
  PageArena arena_;
  winnow::testing::Sample sample_{
      winnow::testing::TinyProfile({LayerKind::kOwn, LayerKind::kShared}), kEntries,
      kernels::TestSeed()};
  std::unique_ptr<EntryStore> store_;
  std::vector<std::shared_ptr<Context>> contexts_;
};

}  // namespace winnow::shard

#endif  // WINNOW_TESTS_SHARD_DISK_CONTEXTS_H_
