#ifndef WINNOW_SERVICES_COORDINATOR_PROFILE_REGISTRY_H_
#define WINNOW_SERVICES_COORDINATOR_PROFILE_REGISTRY_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/cluster/metadata.h"
#include "storage/profile.h"

namespace winnow::coordinator {

// Profiles in the cluster's metadata, under profiles/<fingerprint>. Thread-safe.
class ProfileRegistry {
 public:
  // The store is borrowed.
  explicit ProfileRegistry(cluster::MetadataStore* metadata) : metadata_(*metadata) {}

  // Returns the fingerprint. Registering the same profile again is not an error.
  absl::StatusOr<std::string> Register(const Profile& profile);

  // NOT_FOUND UNKNOWN_PROFILE; DATA_LOSS if what is stored cannot be read or is another profile.
  absl::StatusOr<Profile> Find(const std::string& fingerprint) const;

  // By fingerprint.
  absl::StatusOr<std::vector<std::pair<std::string, Profile>>> List() const;

 private:
  cluster::MetadataStore& metadata_;
};

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_PROFILE_REGISTRY_H_
