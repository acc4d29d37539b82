#ifndef WINNOW_SERVICES_COORDINATOR_LOCAL_SHARD_CHANNEL_H_
#define WINNOW_SERVICES_COORDINATOR_LOCAL_SHARD_CHANNEL_H_

#include <string>

#include "services/coordinator/shard_channel.h"
#include "services/shard/shard.h"

namespace winnow::coordinator {

// A shard in this process. A call runs on the thread that starts it: its kernels already use every
// thread of the pool, so running shards side by side would gain nothing.
class LocalShardChannel final : public ShardChannel {
 public:
  // The shard is borrowed and must outlive the channel.
  explicit LocalShardChannel(shard::Shard* shard) : shard_(*shard) {}

  void Start(const shard::Call& call, absl::Time deadline, Done done) override;
  std::string address() const override { return "in-process"; }
  bool in_process() const override { return true; }

 private:
  shard::Shard& shard_;
};

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_LOCAL_SHARD_CHANNEL_H_
