#ifndef WINNOW_SERVICES_WINNOWD_SHARD_SERVICE_H_
#define WINNOW_SERVICES_WINNOWD_SHARD_SERVICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/cluster/shard_layout.h"
#include "services/shard/shard.h"
#include "services/winnowd/executor.h"
#include "services/winnowd/streams.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow {

// winnow.v1.Shard over one shard. Calls of all streams share two executors: one for queries, and
// one for what may wait for the disk or for memory. Pings wait for nothing. Thread-safe.
class ShardService final : public v1::Shard::Service {
 public:
  // All pointers are borrowed. `directory` is the shard's, which remembers what coordinators take
  // it for; empty where nothing is kept.
  ShardService(shard::Shard* shard, std::string directory, Executor* queries, Executor* changes,
               Streams* streams, absl::Duration max_deadline)
      : shard_(*shard),
        directory_(std::move(directory)),
        queries_(*queries),
        changes_(*changes),
        streams_(streams),
        max_deadline_(max_deadline) {}

  grpc::Status Exchange(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ShardReply, v1::ShardRequest>* stream) override;

 private:
  // What coordinators take this shard for.
  struct Identity {
    uint64_t epoch;
    cluster::ShardLayout layout;
    friend bool operator==(const Identity&, const Identity&) = default;
  };

  v1::ShardReply Answer(const v1::ShardRequest& request, absl::Time received);
  absl::StatusOr<shard::Result> Handle(const v1::ShardRequest& request, absl::Time deadline);
  // Keeps the identity of the first call that is more than a ping, and refuses others.
  absl::Status CheckIdentity(const v1::ShardRequest& request);
  // Against what the directory remembers, which takes it if it has none.
  absl::Status CheckDirectory(const cluster::ShardLayout& layout, bool keep);

  shard::Shard& shard_;
  const std::string directory_;
  Executor& queries_;
  Executor& changes_;
  Streams* const streams_;
  const absl::Duration max_deadline_;
  absl::Mutex mu_;
  std::optional<Identity> identity_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_SHARD_SERVICE_H_
