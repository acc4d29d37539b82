#ifndef WINNOW_TESTS_FAULTS_RPC_H_
#define WINNOW_TESTS_FAULTS_RPC_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "storage/context_record.h"
#include "storage/profile.h"
#include "winnow/v1/admin.grpc.pb.h"
#include "winnow/v1/contexts.grpc.pb.h"
#include "winnow/v1/retrieval.grpc.pb.h"

namespace winnow::testing {

// One coordinator's API, each call made once: what has been acknowledged is then known exactly. All
// contexts are of one tenant. Thread-safe.
class Rpc {
 public:
  explicit Rpc(const std::string& address);

  absl::StatusOr<std::string> RegisterProfile(const Profile& profile);
  absl::Status Create(const std::string& fingerprint, const std::string& id, Durability durability);
  // The end position and the entries that were written.
  absl::StatusOr<v1::AppendEntriesReply> Append(const std::string& id, uint64_t start,
                                                uint32_t count,
                                                const std::vector<v1::LayerEntries>& layers);
  absl::Status Fork(const std::string& parent, uint64_t entries, const std::string& id);
  absl::Status Seal(const std::string& id);
  absl::Status Delete(const std::string& id);
  absl::StatusOr<v1::ContextInfo> Describe(const std::string& id);
  absl::StatusOr<std::vector<std::string>> List();
  // All stripes.
  absl::Status Spill(const std::string& id, v1::Planes planes);
  absl::Status Restore(const std::string& id, v1::Planes planes);
  // The lines of damage.
  absl::StatusOr<std::vector<std::string>> Verify(const std::string& id);
  // Every one of the first `entries` of a layer with an index, and their KV rows; of a layer that
  // shares, by the selection of an earlier call.
  absl::StatusOr<v1::GatherReply> GatherAll(const std::string& id, const Profile& profile,
                                            int layer, uint64_t entries);
  absl::StatusOr<v1::GatherReply> GatherSelected(const std::string& id, int layer,
                                                 uint64_t selection_id);
  absl::StatusOr<v1::AttendReply> Attend(const std::string& id, const Profile& profile, int layer,
                                         uint64_t entries);

 private:
  explicit Rpc(const std::shared_ptr<grpc::Channel>& channel);

  const std::unique_ptr<v1::Contexts::Stub> contexts_;
  const std::unique_ptr<v1::Retrieval::Stub> retrieval_;
  const std::unique_ptr<v1::Admin::Stub> admin_;
};

// Entries of a layer as a message has them.
v1::LayerEntries LayerMessage(int layer, const std::vector<std::byte>& keys,
                              const std::vector<std::byte>& rows);

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_FAULTS_RPC_H_
