#ifndef WINNOW_SERVICES_WINNOWD_SHARD_SERVICE_H_
#define WINNOW_SERVICES_WINNOWD_SHARD_SERVICE_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/shard/shard.h"
#include "services/winnowd/executor.h"
#include "services/winnowd/streams.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow {

// winnow.v1.Shard over one shard. Calls of all streams share the executor. Thread-safe.
class ShardService final : public v1::Shard::Service {
 public:
  // All are borrowed.
  ShardService(shard::Shard* shard, Executor* executor, Streams* streams,
               absl::Duration max_deadline)
      : shard_(*shard), executor_(*executor), streams_(streams), max_deadline_(max_deadline) {}

  grpc::Status Exchange(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ShardReply, v1::ShardRequest>* stream) override;

 private:
  // What coordinators take this shard for.
  struct Identity {
    uint64_t epoch;
    uint32_t shard;
    uint32_t shards;
    friend bool operator==(const Identity&, const Identity&) = default;
  };

  v1::ShardReply Answer(const v1::ShardRequest& request, absl::Time received);
  absl::StatusOr<shard::Result> Handle(const v1::ShardRequest& request, absl::Time deadline);
  // Keeps the first identity and refuses others.
  absl::Status CheckIdentity(const v1::ShardRequest& request);

  shard::Shard& shard_;
  Executor& executor_;
  Streams* const streams_;
  const absl::Duration max_deadline_;
  absl::Mutex mu_;
  std::optional<Identity> identity_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_SHARD_SERVICE_H_
