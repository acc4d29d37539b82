#include "services/coordinator/plan.h"

#include <algorithm>

#include "services/shard/gather_limit.h"

namespace winnow::coordinator {

uint32_t ShardOfStripe(const cluster::ClusterMap& map, uint64_t placement_key, uint32_t stripe) {
  return map.ShardOfSlot(cluster::SlotOf(placement_key, stripe));
}

std::vector<AppendPiece> PlanAppend(const cluster::ClusterMap& map, uint64_t placement_key,
                                    uint64_t start, uint32_t count) {
  std::vector<AppendPiece> pieces;
  for (uint32_t done = 0; done < count;) {
    const uint64_t at = start + done;
    const auto stripe = static_cast<uint32_t>(at / kStripeEntries);
    const auto offset = static_cast<uint32_t>(at % kStripeEntries);
    const uint32_t taken = std::min(kStripeEntries - offset, count - done);
    pieces.push_back({.shard = ShardOfStripe(map, placement_key, stripe),
                      .stripe = stripe,
                      .offset = offset,
                      .count = taken,
                      .first = done});
    done += taken;
  }
  return pieces;
}

std::vector<LayerBytes> BytesOfPiece(const Profile& profile, const std::vector<LayerBytes>& layers,
                                     const AppendPiece& piece) {
  std::vector<LayerBytes> parts;
  for (const LayerBytes& whole : layers) {
    LayerBytes part{.layer = whole.layer};
    if (!whole.index_keys.empty()) {
      part.index_keys = whole.index_keys.subspan(piece.first * profile.key_bytes(),
                                                 piece.count * profile.key_bytes());
    }
    part.kv_rows =
        whole.kv_rows.subspan(piece.first * profile.row_bytes(), piece.count * profile.row_bytes());
    parts.push_back(part);
  }
  return parts;
}

std::vector<std::vector<uint32_t>> PlanScan(const cluster::ClusterMap& map, uint64_t placement_key,
                                            uint64_t visible) {
  std::vector<std::vector<uint32_t>> stripes(map.shards());
  const auto count = static_cast<uint32_t>((visible + kStripeEntries - 1) / kStripeEntries);
  for (uint32_t stripe = 0; stripe < count; ++stripe) {
    stripes[ShardOfStripe(map, placement_key, stripe)].push_back(stripe);
  }
  return stripes;
}

uint32_t StripesAtOnce(const Profile& profile) {
  constexpr uint64_t kBytes = uint64_t{512} << 20;
  constexpr uint64_t kMost = 64;
  uint64_t entry_bytes = 0;
  for (size_t i = 0; i < profile.layers.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (profile.stores(layer)) entry_bytes += profile.row_bytes();
    if (profile.has_index(layer)) entry_bytes += profile.key_bytes();
  }
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(kBytes / (kStripeEntries * entry_bytes), 1, kMost));
}

AttendPath ChoosePath(const Profile& profile, const PathCost& cost) {
  const bool fits = shard::CheckGatherBytes(cost.winners, profile.row_bytes()).ok();
  if (cost.in_process || !fits) return AttendPath::kPushDown;
  const uint64_t gather_bytes = cost.winners * profile.row_bytes();
  const uint64_t bytes_per_head =
      profile.attend_query_bytes() + sizeof(float) * (uint64_t{1} + profile.latent_dim);
  const uint64_t push_down_bytes =
      uint64_t{cost.shards} * cost.query_rows * profile.query_heads * bytes_per_head;
  return gather_bytes <= push_down_bytes ? AttendPath::kGather : AttendPath::kPushDown;
}

}  // namespace winnow::coordinator
