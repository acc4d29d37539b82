#ifndef WINNOW_CLIENT_INCLUDE_WINNOW_CLIENT_H_
#define WINNOW_CLIENT_INCLUDE_WINNOW_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "winnow/context.h"
#include "winnow/maintenance.h"
#include "winnow/types.h"

namespace winnow::client {

struct ClientOptions {
  std::string tenant;                          // empty: "default"
  absl::Duration timeout = absl::Seconds(30);  // of each call and each decode step
};

// A connection to a coordinator, shared by the contexts and sessions made from it. Thread-safe.
//
// Errors are absl statuses; ErrorReason() and ErrorFacts() of storage/error.h tell programs what
// the message tells people. Every call ends within its timeout: DEADLINE_EXCEEDED, or UNAVAILABLE
// when the service cannot be reached. UNIMPLEMENTED NOT_A_COORDINATOR where the process is a shard.
class Client {
 public:
  // Connects in the background. A call that finds nobody, or a coordinator that stops, is tried
  // again for three seconds, but for asynchronous ones and those of a DecodeSession, and then
  // fails. address is host:port; http_proxy is not for it.
  explicit Client(const std::string& address, ClientOptions options = {});
  // The last of the client, its contexts and sessions waits for asynchronous calls under way.
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // Returns the fingerprint; registering the same profile again is not an error.
  absl::StatusOr<std::string> RegisterProfile(const Profile& profile);
  absl::StatusOr<std::vector<RegisteredProfile>> ListProfiles();

  // With an id of the caller's choice this is idempotent: of a context that is held with that
  // profile (ALREADY_EXISTS CONTEXT_EXISTS with another) it is a handle, and changes neither its
  // durability nor its lease; Describe() tells them. With none a random one is taken, and what
  // a call that fails has made is deleted again where the service can be reached.
  absl::StatusOr<Context> CreateContext(const std::string& profile_fingerprint,
                                        const std::string& context_id = "",
                                        const ContextOptions& options = {});
  // NOT_FOUND UNKNOWN_CONTEXT.
  absl::StatusOr<Context> OpenContext(const std::string& context_id);
  // A handle that asks nobody, for a context of that profile which is there. What a shard has lost
  // of one, such as all in its memory, keeps it from being opened: CreateContext with its id makes
  // the lost part anew, empty, and is DATA_LOSS MISSING_ENTRIES; appending everything again through
  // this stores what is missing, as what other shards hold is the same.
  Context UseContext(const std::string& context_id, const Profile& profile);
  // As Context::Delete, but it also frees what is left of a context that cannot be opened because a
  // shard has lost its part. NOT_FOUND UNKNOWN_CONTEXT if no shard holds any of it. After any other
  // error some shards have freed their parts: call again. Also OK if the context was there when the
  // connection broke, and is not when the call is tried again.
  absl::Status DeleteContext(const std::string& context_id);
  // All of the tenant's contexts, by id.
  absl::StatusOr<std::vector<ContextInfo>> ListContexts();

  // Brings a range of what Context::SaveSnapshot wrote into a context of that id, which the first
  // range makes. What it holds is compared: ABORTED APPEND_CONFLICT if that is other bytes, and
  // entries past those of the snapshot stay. ALREADY_EXISTS CONTEXT_EXISTS if it has another
  // profile.
  absl::StatusOr<SnapshotResult> LoadSnapshot(const std::string& context_id,
                                              const std::string& directory,
                                              const StripeRange& range = {});

  // The snapshots in <directory>/<tenant>/<context id>, of all tenants. NOT_FOUND where there is no
  // such directory.
  absl::StatusOr<std::vector<ContextName>> ListSnapshots(const std::string& directory);

  // All that have contexts.
  absl::StatusOr<std::vector<std::string>> ListTenants();
  absl::StatusOr<std::vector<NodeInfo>> ListNodes();
  absl::StatusOr<std::vector<ShardInfo>> ListShards();

 private:
  std::shared_ptr<Connection> connection_;
};

}  // namespace winnow::client

#endif  // WINNOW_CLIENT_INCLUDE_WINNOW_CLIENT_H_
