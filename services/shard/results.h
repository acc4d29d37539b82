#ifndef WINNOW_SERVICES_SHARD_RESULTS_H_
#define WINNOW_SERVICES_SHARD_RESULTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "kernels/candidate.h"
#include "storage/context_record.h"
#include "storage/profile.h"

// What a shard answers to the calls of services/shard/messages.h; proto/winnow/v1/shard.proto is
// the same on the wire and documents each field.
namespace winnow::shard {

struct Done {};

struct PingResult {
  std::string version;
  uint64_t contexts = 0;
  uint64_t entries = 0;
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
  uint32_t threads = 0;
  std::string kernels;
  uint64_t memory_bytes = 0;         // pages, write buffers and caches
  uint64_t memory_budget_bytes = 0;  // 0 for no limit
  uint64_t disk_bytes = 0;
  uint64_t corrupt_pages = 0;  // found since the start
  // Of copies of pages in the memory of the shard's GPU, and what there is for them; 0 without one.
  uint64_t device_bytes = 0;
  uint64_t device_capacity_bytes = 0;
};

// A context as one shard holds it.
struct ContextState {
  std::string context_id;
  std::string tenant;
  std::shared_ptr<const Profile> profile;
  uint64_t placement_key = 0;
  uint64_t incarnation = 0;  // see messages.h
  Durability durability = Durability::kMemory;
  bool sealed = false;
  absl::Time pinned_until = absl::InfinitePast();
  absl::Time expires_at = absl::InfiniteFuture();
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
  uint64_t resident_index_bytes = 0;    // of those, in memory
  uint64_t resident_kv_bytes = 0;       // of those, in memory
  uint64_t stored_bytes = 0;            // of both, on disk
  std::vector<uint64_t> layer_entries;  // [layers] entries held here
  std::vector<uint64_t> layer_ends;     // [layers] 1 + the highest position held here, 0 for none
};

struct ListContextsResult {
  std::vector<ContextState> contexts;
};

struct AppendResult {
  uint64_t entries_written = 0;
};

struct SelectResult {
  std::vector<std::vector<kernels::Candidate>> candidates;  // [T], each best first
  uint64_t entries_scanned = 0;
  uint64_t index_bytes_read = 0;
  uint64_t cold_index_bytes = 0;  // of those, from disk
  uint64_t score_us = 0;
  uint64_t warm_pages = 0;  // in memory and without a copy on a device; not sent
};

struct AttendResult {
  std::vector<std::vector<kernels::Candidate>> winners;  // [T]; gather, or if asked for
  std::vector<uint32_t> counts;                          // [T] winners here
  std::string kv_rows;                                   // gather: [sum of counts, row bytes]
  std::vector<float> outputs;                            // push-down: [T, query_heads, latent_dim]
  std::vector<float> lse;                                // push-down: [T, query_heads]
  uint64_t cold_rows = 0;                                // rows that were not in memory's pages
  uint64_t cached_rows = 0;                              // of those, found in the row cache
  uint64_t attend_us = 0;
  uint64_t warm_rows = 0;  // as warm_pages; not sent
};

struct TierResult {
  uint64_t index_bytes = 0;  // moved or verified
  uint64_t kv_bytes = 0;
  uint32_t next_stripe = 0;          // 0 where no stripe is left at or after the range's end
  std::vector<std::string> corrupt;  // one line for each damaged page that was found
};

struct SnapshotResult {
  uint64_t bytes = 0;
  uint32_t next_stripe = 0;    // as in TierResult
  uint32_t total_stripes = 0;  // 1 + the last stripe of the snapshot here; 0 if it is not known
};

struct NamesResult {
  std::vector<std::string> names;  // tenants, or "<tenant>/<context id>"; in order
};

using Result = std::variant<Done, PingResult, ListContextsResult, ContextState, AppendResult,
                            SelectResult, AttendResult, TierResult, SnapshotResult, NamesResult>;

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_RESULTS_H_
