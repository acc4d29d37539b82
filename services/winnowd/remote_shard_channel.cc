#include "services/winnowd/remote_shard_channel.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/winnowd/log.h"
#include "services/wire/channel.h"
#include "services/wire/shard_messages.h"
#include "storage/error.h"

namespace winnow {
namespace {

constexpr char kLost[] = "SHARD_UNAVAILABLE";
constexpr char kTooManyCalls[] = "TOO_MANY_CALLS";

}  // namespace

RemoteShardChannel::RemoteShardChannel(RemoteShard shard)
    : shard_(std::move(shard)),
      stub_(v1::Shard::NewStub(wire::Connect(shard_.address, /*idle_pings=*/true))) {
  for (std::unique_ptr<Lane>& lane : lanes_) lane = OpenLane();
}

std::unique_ptr<RemoteShardChannel::Lane> RemoteShardChannel::OpenLane() {
  return std::make_unique<Lane>(
      Lane::Options{.open =
                        [this](grpc::ClientContext* context,
                               grpc::ClientBidiReactor<v1::ShardRequest, v1::ShardReply>* reactor) {
                          stub_->async()->Exchange(context, reactor);
                        },
                    .peer = {.name = absl::StrCat("shard ", shard_.shard, " at ", shard_.address),
                             .unavailable_reason = kLost,
                             .fact = {"shards", absl::StrCat(shard_.shard)}}});
}

void RemoteShardChannel::Close() {
  closing_ = true;
  for (const std::unique_ptr<Lane>& lane : lanes_) lane->Close();
}

void RemoteShardChannel::Start(const shard::Call& call, absl::Time deadline, Done done) {
  const absl::Duration timeout = deadline - absl::Now();
  if (timeout <= absl::ZeroDuration()) {
    return done(Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
                      "the deadline passed before the call was sent"));
  }
  v1::ShardRequest request;
  wire::FromCall(call, &request);
  request.set_timeout_us(absl::ToInt64Microseconds(timeout));
  request.set_epoch(shard_.epoch);
  request.set_shard(shard_.shard);
  request.set_shards(shard_.shards);
  Lane& lane = *lanes_[static_cast<int>(wire::LaneOf(request))];
  lane.Start(std::move(request), deadline,
             [this, done = std::move(done)](absl::StatusOr<v1::ShardReply> reply) mutable {
               absl::StatusOr<shard::Result> result =
                   reply.ok() ? wire::ToResult(*std::move(reply))
                              : absl::StatusOr<shard::Result>(reply.status());
               NoteConnection(result.status());
               done(std::move(result));
             });
}

void RemoteShardChannel::NoteConnection(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  // One that did not answer in time is not known to be either, and what this end refused tells
  // nothing of it.
  if (absl::IsDeadlineExceeded(status) || reason == kTooManyCalls || closing_) return;
  const bool lost = reason == kLost;
  if (lost_.exchange(lost) == lost) return;
  LogFields fields = {{"shard", absl::StrCat(shard_.shard)}, {"address", shard_.address}};
  if (lost) fields.emplace_back("message", std::string(status.message()));
  Log(lost ? LogLevel::kWarn : LogLevel::kInfo, lost ? "shard lost" : "shard is back", fields);
}

}  // namespace winnow
