#ifndef WINNOW_CLIENT_INCLUDE_WINNOW_MAINTENANCE_H_
#define WINNOW_CLIENT_INCLUDE_WINNOW_MAINTENANCE_H_

#include <cstdint>
#include <string>
#include <vector>

// What an operator asks and is told.
namespace winnow::client {

struct NodeInfo {
  std::string name;
  std::string address;
  bool reachable = false;
  uint64_t round_trip_us = 0;
  std::string version;
  std::string error;
};

struct ShardInfo {
  uint32_t shard = 0;
  std::string address;
  uint32_t slots = 0;
  uint64_t contexts = 0;
  uint64_t entries = 0;  // over all contexts and their layers
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
  uint32_t threads = 0;
  std::string kernels;
  std::string error;
  uint64_t memory_bytes = 0;
  uint64_t memory_budget_bytes = 0;  // 0: no limit
  uint64_t disk_bytes = 0;
  uint64_t corrupt_pages = 0;          // found since the shard started
  uint64_t device_bytes = 0;           // of copies of pages in the GPU's memory
  uint64_t device_capacity_bytes = 0;  // 0: no GPU
};

enum class Planes { kKv = 1, kIndex = 2, kAll = 3 };

// A range of a context's stripes, 4,096 positions each. Work on a whole context is done range by
// range, each from the stripe on that the one before it named, until that is 0.
struct StripeRange {
  uint32_t first_stripe = 0;
  uint32_t stripes = 0;  // 0: as many as take moments
};

struct TierResult {
  uint64_t index_bytes = 0;  // moved, or read and compared
  uint64_t kv_bytes = 0;
  uint32_t next_stripe = 0;          // where to go on; 0 when all is done
  uint32_t total_stripes = 0;        // that the context has now
  std::vector<std::string> corrupt;  // Verify: a line for each damaged page
};

struct SnapshotResult {
  uint64_t bytes = 0;          // written or read
  uint32_t next_stripe = 0;    // as in TierResult
  uint32_t total_stripes = 0;  // of the context or the snapshot; 0 if that is not known
};

// A context among those of several tenants.
struct ContextName {
  std::string tenant;
  std::string context_id;
};

}  // namespace winnow::client

#endif  // WINNOW_CLIENT_INCLUDE_WINNOW_MAINTENANCE_H_
