#ifndef WINNOW_SERVICES_WINNOWD_REMOTE_SHARD_CHANNEL_H_
#define WINNOW_SERVICES_WINNOWD_REMOTE_SHARD_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "services/coordinator/shard_channel.h"

namespace winnow {

struct RemoteShard {
  std::string address;  // host:port
  uint32_t shard = 0;   // its number in the cluster map
  uint32_t shards = 0;  // how many there are
  uint64_t epoch = 0;   // of the cluster map
};

// A shard behind one gRPC stream that all calls share. The stream is opened by the first call and
// again by the first call after it broke; a call is never sent twice. Calls that are on their way
// when the stream breaks end with UNAVAILABLE SHARD_UNAVAILABLE.
class RemoteShardChannel final : public coordinator::ShardChannel {
 public:
  explicit RemoteShardChannel(RemoteShard shard);
  // Ends calls that are still on their way with UNAVAILABLE.
  ~RemoteShardChannel() override;

  void Start(const shard::Call& call, absl::Time deadline, Done done) override;
  std::string address() const override;
  bool in_process() const override { return false; }

 private:
  class Core;
  class Stream;
  const std::shared_ptr<Core> core_;
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_REMOTE_SHARD_CHANNEL_H_
