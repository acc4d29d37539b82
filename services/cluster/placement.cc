#include "services/cluster/placement.h"

#include <xxhash.h>

#include <algorithm>

namespace winnow::cluster {

ClusterMap ClusterMap::Static(uint32_t shards, uint64_t epoch) {
  ClusterMap map;
  map.shards_ = shards;
  map.epoch_ = epoch;
  map.shard_of_slot_.resize(kSlots);
  for (uint32_t slot = 0; slot < kSlots; ++slot) map.shard_of_slot_[slot] = slot % shards;
  return map;
}

uint32_t ClusterMap::SlotCount(uint32_t shard) const {
  return static_cast<uint32_t>(std::count(shard_of_slot_.begin(), shard_of_slot_.end(), shard));
}

uint64_t PlacementKey(std::string_view context) {
  return XXH3_64bits(context.data(), context.size());
}

uint32_t SlotOf(uint64_t placement_key, uint32_t stripe) {
  return static_cast<uint32_t>((placement_key + stripe) % kSlots);
}

}  // namespace winnow::cluster
