#ifndef WINNOW_SERVICES_COORDINATOR_CONTEXT_DIRECTORY_H_
#define WINNOW_SERVICES_COORDINATOR_CONTEXT_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "services/coordinator/requests.h"
#include "storage/profile.h"

namespace winnow::coordinator {

// What a coordinator needs to know of a context to route its calls; never changes while the context
// lives and no shard loses its part.
struct ContextRoute {
  ContextName name;
  std::string shard_id;  // ShardId(name)
  std::shared_ptr<const Profile> profile;
  uint64_t placement_key = 0;
  std::vector<uint64_t> incarnations;  // [shards]; see services/shard/messages.h
};

// Routes of recently used contexts, by shard_id. May be stale: the shards check the incarnation
// of each call. Thread-safe.
class ContextDirectory {
 public:
  explicit ContextDirectory(size_t max_routes) : max_routes_(max_routes) {}

  // Null if it is not known.
  std::shared_ptr<const ContextRoute> Find(const std::string& shard_id);
  void Insert(std::shared_ptr<const ContextRoute> route);
  void Erase(const std::string& shard_id);

 private:
  using Routes = std::list<std::shared_ptr<const ContextRoute>>;

  void EraseLocked(const std::string& shard_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t max_routes_;
  absl::Mutex mu_;
  Routes by_use_ ABSL_GUARDED_BY(mu_);  // the least recently used first
  absl::flat_hash_map<std::string, Routes::iterator> by_id_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_CONTEXT_DIRECTORY_H_
