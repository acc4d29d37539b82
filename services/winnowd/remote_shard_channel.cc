#include "services/winnowd/remote_shard_channel.h"

#include <limits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "grpcpp/alarm.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "services/winnowd/shard_stream.h"
#include "services/wire/shard_messages.h"
#include "storage/error.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow {
namespace {

// Calls on their way to one shard; more means that it answers slower than it is asked.
constexpr size_t kMaxPending = 1024;
constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kMinReconnectBackoffMs = 50;
constexpr int kMaxReconnectBackoffMs = 1'000;

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kMinReconnectBackoffMs);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMinReconnectBackoffMs);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectBackoffMs);
  // The coordinator has bounded what it asks for.
  args.SetMaxReceiveMessageSize(std::numeric_limits<int>::max());
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args);
}

}  // namespace

// Matches answers to calls. Shared with alarms and streams, which may outlive the channel a little.
class RemoteShardChannel::Core : public std::enable_shared_from_this<Core>,
                                 public ShardStream::Owner {
 public:
  explicit Core(RemoteShard shard)
      : shard_(std::move(shard)), stub_(v1::Shard::NewStub(Connect(shard_.address))) {}

  const std::string& address() const { return shard_.address; }

  void Start(const shard::Call& call, absl::Time deadline, Done done);
  void Close();

  void OnReply(const v1::ShardReply& reply) override;
  void OnEnd(ShardStream* stream, const grpc::Status& status) override;

 private:
  struct Pending {
    Done done;
    std::unique_ptr<grpc::Alarm> alarm;
    ShardStream* stream;
  };

  void Expire(uint64_t request_id);
  // Takes a call out of pending_; a null `done` if it has been answered already.
  Done Take(uint64_t request_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Unavailable(absl::string_view why) const;
  bool StreamGone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return live_streams_ == 0; }

  const RemoteShard shard_;
  const std::unique_ptr<v1::Shard::Stub> stub_;

  absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t next_request_id_ ABSL_GUARDED_BY(mu_) = 1;
  absl::flat_hash_map<uint64_t, Pending> pending_ ABSL_GUARDED_BY(mu_);
  ShardStream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;  // the one to send on; null if it broke
  int live_streams_ ABSL_GUARDED_BY(mu_) = 0;
};

absl::Status RemoteShardChannel::Core::Unavailable(absl::string_view why) const {
  return Error(
      absl::StatusCode::kUnavailable, "SHARD_UNAVAILABLE",
      absl::StrCat("shard ", shard_.shard, " at ", shard_.address, " is unavailable: ", why),
      {{"shards", absl::StrCat(shard_.shard)}});
}

RemoteShardChannel::Done RemoteShardChannel::Core::Take(uint64_t request_id) {
  const auto it = pending_.find(request_id);
  if (it == pending_.end()) return nullptr;
  Done done = std::move(it->second.done);
  pending_.erase(it);
  return done;
}

void RemoteShardChannel::Core::Start(const shard::Call& call, absl::Time deadline, Done done) {
  v1::ShardRequest request;
  wire::FromCall(call, &request);
  request.set_epoch(shard_.epoch);
  request.set_shard(shard_.shard);
  request.set_shards(shard_.shards);
  const absl::Duration timeout = deadline - absl::Now();
  if (timeout <= absl::ZeroDuration()) {
    return done(Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
                      "the deadline passed before the call was sent"));
  }
  request.set_timeout_us(absl::ToInt64Microseconds(timeout));
  absl::Status refusal;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) {
      refusal = Unavailable("the coordinator is stopping");
    } else if (pending_.size() >= kMaxPending) {
      refusal = Unavailable(absl::StrCat(pending_.size(), " calls are waiting for it already"));
    } else {
      const uint64_t id = next_request_id_++;
      request.set_request_id(id);
      if (stream_ == nullptr) {
        stream_ = ShardStream::Open(stub_.get(), shared_from_this());
        ++live_streams_;
      }
      auto alarm = std::make_unique<grpc::Alarm>();
      alarm->Set(absl::ToChronoTime(deadline), [core = shared_from_this(), id](bool fired) {
        if (fired) core->Expire(id);
      });
      pending_[id] = {.done = std::move(done), .alarm = std::move(alarm), .stream = stream_};
      stream_->Send(std::move(request));
    }
  }
  if (!refusal.ok()) done(std::move(refusal));
}

void RemoteShardChannel::Core::OnReply(const v1::ShardReply& reply) {
  Done done;
  {
    absl::MutexLock lock(&mu_);
    done = Take(reply.request_id());
  }
  if (done) done(wire::ToResult(reply));
}

void RemoteShardChannel::Core::Expire(uint64_t request_id) {
  Done done;
  {
    absl::MutexLock lock(&mu_);
    const auto it = pending_.find(request_id);
    if (it == pending_.end()) return;
    it->second.stream->Forget(request_id);
    done = Take(request_id);
  }
  done(Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
             absl::StrCat("shard ", shard_.shard, " at ", shard_.address,
                          " did not answer before the deadline"),
             {{"shards", absl::StrCat(shard_.shard)}}));
}

void RemoteShardChannel::Core::OnEnd(ShardStream* stream, const grpc::Status& status) {
  std::vector<Done> orphans;
  {
    absl::MutexLock lock(&mu_);
    if (stream_ == stream) stream_ = nullptr;
    for (auto it = pending_.begin(); it != pending_.end();) {
      if (it->second.stream == stream) {
        orphans.push_back(std::move(it->second.done));
        pending_.erase(it++);
      } else {
        ++it;
      }
    }
  }
  const absl::Status why = Unavailable(status.error_message().empty() ? "it ended the connection"
                                                                      : status.error_message());
  for (Done& done : orphans) done(why);
  absl::MutexLock lock(&mu_);
  --live_streams_;
}

void RemoteShardChannel::Core::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
  if (stream_ != nullptr) stream_->Cancel();
  mu_.Await(absl::Condition(this, &Core::StreamGone));
}

RemoteShardChannel::RemoteShardChannel(RemoteShard shard)
    : core_(std::make_shared<Core>(std::move(shard))) {}

RemoteShardChannel::~RemoteShardChannel() { core_->Close(); }

void RemoteShardChannel::Start(const shard::Call& call, absl::Time deadline, Done done) {
  core_->Start(call, deadline, std::move(done));
}

std::string RemoteShardChannel::address() const { return core_->address(); }

}  // namespace winnow
