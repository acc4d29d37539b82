#ifndef WINNOW_SERVICES_CLUSTER_PLACEMENT_H_
#define WINNOW_SERVICES_CLUSTER_PLACEMENT_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace winnow::cluster {

inline constexpr uint32_t kSlots = 4096;

// Which shard owns each slot. Immutable; a change makes a new map with a higher epoch.
class ClusterMap {
 public:
  // Deals the slots out to `shards` shards in turn, so that consecutive slots, and with them
  // consecutive stripes of a context, lie on different shards. (Where shards divides kSlots - 1,
  // the last slot and the first, which follows it, share one.) 1 <= shards <= kSlots.
  static ClusterMap Static(uint32_t shards, uint64_t epoch);

  uint32_t shards() const { return shards_; }
  uint64_t epoch() const { return epoch_; }
  uint32_t ShardOfSlot(uint32_t slot) const { return shard_of_slot_[slot]; }
  // Slots a shard owns.
  uint32_t SlotCount(uint32_t shard) const;

 private:
  uint32_t shards_ = 0;
  uint64_t epoch_ = 0;
  std::vector<uint32_t> shard_of_slot_;  // [kSlots]
};

// Where a context, "<tenant>/<context id>", starts in the slot ring: XXH3-64 of that. Forks inherit
// their parent's key, so a page and its fork stay on one shard.
uint64_t PlacementKey(std::string_view context);

// Stripes follow one another around the ring from the context's key.
uint32_t SlotOf(uint64_t placement_key, uint32_t stripe);

}  // namespace winnow::cluster

#endif  // WINNOW_SERVICES_CLUSTER_PLACEMENT_H_
