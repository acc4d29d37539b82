// What a shard does in the background with contexts that are damaged in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "services/shard/scrubber.h"
#include "services/shard/spiller.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "tests/support/sample.h"
#include "tests/support/temp_dir.h"

namespace winnow::shard {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace winnow::testing;

constexpr uint32_t kEntries = 1024;

// Contexts on one disk, in the order of their last use.
class ShardDamageTest : public ::testing::Test {
 protected:
  ShardDamageTest() {
    Recovery recovery;
    store_ = EntryStore::Open({.directory = dir_.path()}, &recovery).value();
  }

  Context& Add(const std::string& id, Durability durability) {
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

  absl::Status MakeRoom(uint64_t bytes) {
    Spiller spiller(
        &arena_, /*can_spill=*/true, [this] { return contexts_; },
        [this](const std::string& id, const std::string&) { damaged_.insert(id); });
    return spiller.MakeRoom(arena_.free_bytes() + bytes, absl::InfiniteFuture());
  }

  const TempDir dir_;
  PageArena arena_{size_t{64} << 20};
  Sample sample_{TinyProfile({LayerKind::kOwn, LayerKind::kShared}), kEntries, kernels::TestSeed()};
  std::unique_ptr<EntryStore> store_;
  std::vector<std::shared_ptr<Context>> contexts_;
  std::set<std::string> damaged_;
};

TEST_F(ShardDamageTest, ADamagedContextKeepsNoOtherInMemory) {
  const Context& damaged = Add("t/damaged", Durability::kMemory);
  const Context& sound = Add("t/sound", Durability::kLogged);
  Damage(damaged, 0);
  Damage(damaged, 1);
  const uint64_t kv = sound.resident_bytes(Plane::kKv);
  const absl::Status room = MakeRoom(kv);
  EXPECT_TRUE(room.ok()) << room;
  EXPECT_THAT(damaged_, ElementsAre("t/damaged"));
  EXPECT_EQ(damaged.resident_bytes(Plane::kKv), kv);
  EXPECT_EQ(sound.resident_bytes(Plane::kKv), 0u);
}

TEST_F(ShardDamageTest, WhatIsSoundOfADamagedContextIsSpilled) {
  const Context& damaged = Add("t/damaged", Durability::kMemory);
  Damage(damaged, 0);
  const uint64_t kv = damaged.resident_bytes(Plane::kKv);
  EXPECT_TRUE(MakeRoom(kv / 2).ok());
  EXPECT_EQ(damaged.resident_bytes(Plane::kKv), kv / 2);
}

TEST_F(ShardDamageTest, WhereAllThatIsLeftIsDamagedThereIsNoRoom) {
  const Context& damaged = Add("t/damaged", Durability::kMemory);
  Damage(damaged, 0);
  Damage(damaged, 1);
  ExpectError(MakeRoom(1), absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET");
}

TEST_F(ShardDamageTest, WhatCannotBeReadInTimeIsNotTakenForDamaged) {
  Add("t/a", Durability::kLogged);
  Stripe& stripe = *contexts_.front()->Stripes(0, 1).front();
  EXPECT_THAT(Scrubber::FindDamage(stripe, absl::InfinitePast()), IsEmpty());
  Damage(*contexts_.front(), 0);
  EXPECT_THAT(Scrubber::FindDamage(stripe, absl::InfiniteFuture()), SizeIs(1));
}

}  // namespace
}  // namespace winnow::shard
