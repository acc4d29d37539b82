#include "services/coordinator/local_shard_channel.h"

namespace winnow::coordinator {

void LocalShardChannel::Start(const shard::Call& call, absl::Time deadline, Done done) {
  done(shard_.Handle(call, deadline));
}

}  // namespace winnow::coordinator
