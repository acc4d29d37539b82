#ifndef WINNOW_SERVICES_WINNOWD_REMOTE_SHARD_CHANNEL_H_
#define WINNOW_SERVICES_WINNOWD_REMOTE_SHARD_CHANNEL_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "services/coordinator/shard_channel.h"
#include "services/wire/call_stream.h"
#include "services/wire/lane.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow {

struct RemoteShard {
  std::string address;  // host:port
  uint32_t shard = 0;   // its number in the cluster map
  uint32_t shards = 0;  // how many there are
  uint64_t epoch = 0;   // of the cluster map
};

// A shard behind one connection, with a gRPC stream for each lane that all its calls share. A
// stream is opened by the first call and again by the first call after it broke; a call is never
// sent twice. Calls that are on their way when their stream breaks end with UNAVAILABLE
// SHARD_UNAVAILABLE. A shard that is lost and one that is back are logged once.
class RemoteShardChannel final : public coordinator::ShardChannel {
 public:
  explicit RemoteShardChannel(RemoteShard shard);

  void Start(const shard::Call& call, absl::Time deadline, Done done) override;
  std::string address() const override { return shard_.address; }
  bool in_process() const override { return false; }

  // Ends what is on its way, and what is started later, with UNAVAILABLE.
  void Close();

 private:
  struct Traits {
    using Request = v1::ShardRequest;
    using Reply = v1::ShardReply;
    static void SetId(Request* request, uint64_t id) { request->set_request_id(id); }
    static uint64_t Id(const Request& request) { return request.request_id(); }
    static uint64_t Id(const Reply& reply) { return reply.request_id(); }
  };

  using Lane = wire::CallStream<Traits>;

  std::unique_ptr<Lane> OpenLane();
  // Of a call's end: logs if the shard is gone since, or back.
  void NoteConnection(const absl::Status& status);

  const RemoteShard shard_;
  std::atomic<bool> lost_ = false;
  std::atomic<bool> closing_ = false;
  const std::unique_ptr<v1::Shard::Stub> stub_;
  std::array<std::unique_ptr<Lane>, wire::kLanes> lanes_;  // by wire::Lane
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_REMOTE_SHARD_CHANNEL_H_
