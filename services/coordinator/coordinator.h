#ifndef WINNOW_SERVICES_COORDINATOR_COORDINATOR_H_
#define WINNOW_SERVICES_COORDINATOR_COORDINATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kernels/backend.h"
#include "services/cluster/metadata.h"
#include "services/cluster/placement.h"
#include "services/coordinator/maintenance.h"
#include "services/coordinator/requests.h"
#include "services/coordinator/shard_channel.h"

namespace winnow::coordinator {

// What a coordinator works with; all borrowed and outliving it, but for the channels.
struct CoordinatorParts {
  cluster::ClusterMap map;
  std::vector<std::unique_ptr<ShardChannel>> shards;  // by shard number
  cluster::MetadataStore* metadata = nullptr;
  const kernels::Backend* backend = nullptr;
  kernels::WorkerPool* pool = nullptr;
};

// Plans each call, fans it out to the shards and merges their answers. Holds no entries and no
// state that another coordinator could not rebuild. Thread-safe. Every call returns by its
// deadline, or a quarter of a second after where a shard does not answer. Errors are those of
// proto/winnow/v1.
class Coordinator {
 public:
  explicit Coordinator(CoordinatorParts parts);
  ~Coordinator();

  absl::StatusOr<std::string> RegisterProfile(const Profile& profile);
  absl::StatusOr<std::vector<std::pair<std::string, Profile>>> ListProfiles();

  // name.context_id may be empty: the service chooses one. Returns the id.
  absl::StatusOr<std::string> CreateContext(const ContextName& name, const std::string& fingerprint,
                                            absl::Time deadline,
                                            const ContextOptions& options = {});
  absl::StatusOr<std::string> ForkContext(const ContextName& parent, uint64_t entries,
                                          const std::string& context_id, absl::Time deadline,
                                          absl::Duration ttl = absl::InfiniteDuration());
  absl::Status SealContext(const ContextName& name, absl::Time deadline);
  absl::Status DeleteContext(const ContextName& name, absl::Time deadline);
  absl::StatusOr<std::pair<ContextInfo, std::shared_ptr<const Profile>>> DescribeContext(
      const ContextName& name, absl::Time deadline);
  absl::StatusOr<ContextPage> ListContexts(const std::string& tenant, const std::string& after,
                                           uint32_t page_size, absl::Time deadline);

  absl::StatusOr<AppendReply> Append(const AppendEntries& request, absl::Time deadline);

  absl::StatusOr<SelectReply> Select(const Query& query, absl::Time deadline);
  absl::StatusOr<GatherReply> Gather(const Query& query, absl::Time deadline);
  absl::StatusOr<AttendReply> Attend(const AttendQuery& query, absl::Time deadline);

  // Leases, pins, tiers and snapshots.
  const Maintenance& maintenance() const;

  std::vector<ShardState> ListShards(absl::Time deadline);
  uint64_t epoch() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_COORDINATOR_H_
