#include "services/winnowd/shard_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/winnowd/call.h"
#include "services/winnowd/conversation.h"
#include "services/wire/lane.h"
#include "services/wire/shard_messages.h"
#include "services/wire/status.h"
#include "storage/error.h"

namespace winnow {
namespace {

// Of the context that a call is about; empty if there is none.
std::string ContextOf(const v1::ShardRequest& request) {
  const absl::StatusOr<shard::Call> call = wire::ToCall(request);
  if (!call.ok()) return "";
  return std::visit(
      [](const auto& alternative) -> std::string {
        if constexpr (requires { alternative.context_id; }) return alternative.context_id;
        return "";
      },
      *call);
}

absl::Status Stopping(const v1::ShardRequest& request) {
  return Error(absl::StatusCode::kUnavailable, "DRAINING",
               absl::StrCat("shard ", request.shard(), " is stopping; try again"),
               {{"shards", absl::StrCat(request.shard())}});
}

void LogRefusal(const v1::ShardRequest& request, const absl::Status& status) {
  if (status.ok()) return;
  // Nothing may be missing: a query can ask for more than there has ever been. The coordinator
  // finds out.
  const bool unclear = ErrorReason(status) == "MISSING_STRIPES";
  LogFailure("Exchange", status, {.tenant = "", .context = ContextOf(request)},
             unclear ? LogLevel::kDebug : LevelOf(status));
}

}  // namespace

absl::Status ShardService::CheckDirectory(const cluster::ShardLayout& layout, bool keep) {
  if (directory_.empty()) return absl::OkStatus();
  return keep ? cluster::KeepLayout(directory_, layout) : cluster::CheckLayout(directory_, layout);
}

absl::Status ShardService::CheckIdentity(const v1::ShardRequest& request) {
  const Identity named = {.epoch = request.epoch(),
                          .layout = {.shard = request.shard(), .shards = request.shards()}};
  const auto& [shard, shards] = named.layout;
  if (shard >= shards) {
    return InvalidField("shard", absl::StrCat(shard, " of ", shards), "below the number of shards");
  }
  absl::MutexLock lock(&mu_);
  if (!identity_) {
    // On disk before the first context is: whoever merely looks is not taken at their word.
    const bool keep = !request.has_ping();
    if (absl::Status status = CheckDirectory(named.layout, keep); !status.ok()) return status;
    if (!keep) return absl::OkStatus();
    identity_ = named;
  }
  if (*identity_ == named) return absl::OkStatus();
  const cluster::ShardLayout& own = identity_->layout;
  return Error(
      absl::StatusCode::kFailedPrecondition, "WRONG_SHARD",
      absl::StrCat("this is shard ", own.shard, " of ", own.shards, " at epoch ", identity_->epoch,
                   "; the call is for shard ", shard, " of ", shards, " at epoch ", named.epoch,
                   "; list the shards in the same order for every coordinator"),
      {{"shard", absl::StrCat(own.shard)},
       {"shards", absl::StrCat(own.shards)},
       {"epoch", absl::StrCat(identity_->epoch)}});
}

v1::ShardReply ShardService::Answer(const v1::ShardRequest& request, absl::Time received) {
  const absl::Duration timeout =
      std::min(max_deadline_, absl::Microseconds(static_cast<int64_t>(
                                  std::min<uint64_t>(request.timeout_us(), INT64_MAX))));
  v1::ShardReply reply;
  reply.set_request_id(request.request_id());
  absl::StatusOr<shard::Result> result = Handle(request, received + timeout);
  LogRefusal(request, result.status());
  wire::FromResult(std::move(result), &reply);
  return reply;
}

absl::StatusOr<shard::Result> ShardService::Handle(const v1::ShardRequest& request,
                                                   absl::Time deadline) {
  if (absl::Status status = CheckIdentity(request); !status.ok()) return status;
  absl::StatusOr<shard::Call> call = wire::ToCall(request);
  if (!call.ok()) return call.status();
  return shard_.Handle(*call, deadline);
}

grpc::Status ShardService::Exchange(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::ShardReply, v1::ShardRequest>* stream) {
  Streams::Stream registered(streams_, context);
  if (registered.refused()) return wire::ToGrpc(Streams::Refusal());
  Conversation conversation(stream, &registered);
  auto request = std::make_unique<v1::ShardRequest>();
  while (conversation.Read(request.get())) {
    if (!conversation.Begin()) {
      v1::ShardReply refusal;
      refusal.set_request_id(request->request_id());
      wire::FromResult(Stopping(*request), &refusal);
      conversation.Refuse(*request, std::move(refusal));
      continue;
    }
    const wire::Lane lane = wire::LaneOf(*request);
    if (lane == wire::Lane::kPings) {
      // At once: behind others that wait for a thread, a busy shard would look as if it were gone.
      conversation.Reply(*request, Answer(*request, absl::Now()));
      continue;
    }
    Executor& executor = lane == wire::Lane::kQueries ? queries_ : changes_;
    executor.Submit([this, &conversation, received = absl::Now(), request = std::move(request)] {
      conversation.Reply(*request, Answer(*request, received));
    });
    request = std::make_unique<v1::ShardRequest>();
  }
  return grpc::Status::OK;
}

}  // namespace winnow
