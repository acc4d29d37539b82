#include "services/winnowd/contexts_service.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "services/winnowd/call.h"
#include "services/wire/fields.h"
#include "services/wire/profile.h"
#include "services/wire/requests.h"
#include "services/wire/status.h"
#include "storage/error.h"

namespace winnow {
namespace {

constexpr uint32_t kDefaultPageSize = 1000;
constexpr uint32_t kMaxPageSize = 10000;

// Of a stream whose messages up to there are stored; 0 if there were none.
absl::Status RefusalAt(uint64_t end_position) {
  if (end_position == 0) return Streams::Refusal();
  return Error(absl::StatusCode::kUnavailable, "DRAINING",
               absl::StrCat("the server is stopping; resume from position ", end_position),
               {{"resume_position", absl::StrCat(end_position)}});
}

}  // namespace

grpc::Status ContextsService::RegisterProfile(grpc::ServerContext* context,
                                              const v1::RegisterProfileRequest* request,
                                              v1::RegisterProfileReply* reply) {
  return calls_.Serve("RegisterProfile", *context, *request, [&](absl::Time) -> absl::Status {
    absl::StatusOr<Profile> profile = wire::ToProfile(request->profile());
    if (!profile.ok()) return profile.status();
    absl::StatusOr<std::string> fingerprint = coordinator_.RegisterProfile(*profile);
    if (fingerprint.ok()) reply->set_fingerprint(*fingerprint);
    return fingerprint.status();
  });
}

grpc::Status ContextsService::ListProfiles(grpc::ServerContext* context,
                                           const v1::ListProfilesRequest* request,
                                           v1::ListProfilesReply* reply) {
  return calls_.Serve("ListProfiles", *context, *request, [&](absl::Time) -> absl::Status {
    auto profiles = coordinator_.ListProfiles();
    if (!profiles.ok()) return profiles.status();
    for (const auto& [fingerprint, profile] : *profiles) {
      v1::ListProfilesReply::Item* item = reply->add_profiles();
      item->set_fingerprint(fingerprint);
      *item->mutable_profile() = wire::FromProfile(profile);
    }
    return absl::OkStatus();
  });
}

grpc::Status ContextsService::CreateContext(grpc::ServerContext* context,
                                            const v1::CreateContextRequest* request,
                                            v1::CreateContextReply* reply) {
  return calls_.Serve(
      "CreateContext", *context, *request, [&](absl::Time deadline) -> absl::Status {
        absl::StatusOr<coordinator::ContextOptions> options = wire::ToOptions(*request);
        if (!options.ok()) return options.status();
        absl::StatusOr<std::string> id = coordinator_.CreateContext(
            wire::ToContextName(request->tenant(), request->context_id()),
            request->profile_fingerprint(), deadline, *options);
        if (id.ok()) reply->set_context_id(*id);
        return id.status();
      });
}

grpc::Status ContextsService::AppendEntries(grpc::ServerContext* context,
                                            const v1::AppendEntriesRequest* request,
                                            v1::AppendEntriesReply* reply) {
  return calls_.Serve("AppendEntries", *context, *request, [&](absl::Time deadline) {
    absl::StatusOr<coordinator::AppendReply> end =
        coordinator_.Append(wire::ToAppend(*request), deadline);
    if (end.ok()) wire::FromAppendReply(*end, reply);
    return end.status();
  });
}

grpc::Status ContextsService::AppendStream(grpc::ServerContext* context,
                                           grpc::ServerReader<v1::AppendEntriesRequest>* reader,
                                           v1::AppendEntriesReply* reply) {
  Streams::Stream stream(streams_, context);
  if (stream.refused()) return wire::ToGrpc(Streams::Refusal());
  v1::AppendEntriesRequest request;
  while (reader->Read(&request)) {
    const auto finish = [&request](const absl::Status& status) {
      return Finish("AppendStream", status, SubjectOf(request));
    };
    if (!stream.BeginWork()) return finish(RefusalAt(reply->end_position()));
    absl::StatusOr<coordinator::AppendReply> end =
        coordinator_.Append(wire::ToAppend(request), calls_.Deadline(*context));
    const bool go_on = stream.EndWork();
    if (!end.ok()) return finish(end.status());
    wire::FromAppendReply(*end, reply);
    if (!go_on) return finish(RefusalAt(reply->end_position()));
  }
  return grpc::Status::OK;
}

grpc::Status ContextsService::ForkContext(grpc::ServerContext* context,
                                          const v1::ForkContextRequest* request,
                                          v1::ForkContextReply* reply) {
  return calls_.Serve("ForkContext", *context, *request, [&](absl::Time deadline) -> absl::Status {
    absl::StatusOr<absl::Duration> ttl = wire::ToTtl(request->ttl_ms());
    if (!ttl.ok()) return ttl.status();
    absl::StatusOr<std::string> id = coordinator_.ForkContext(
        wire::ToContextName(request->tenant(), request->parent_context_id()), request->entries(),
        request->context_id(), deadline, *ttl);
    if (id.ok()) reply->set_context_id(*id);
    return id.status();
  });
}

grpc::Status ContextsService::SealContext(grpc::ServerContext* context,
                                          const v1::SealContextRequest* request,
                                          v1::SealContextReply*) {
  return calls_.Serve("SealContext", *context, *request, [&](absl::Time deadline) {
    return coordinator_.SealContext(wire::ToContextName(request->tenant(), request->context_id()),
                                    deadline);
  });
}

grpc::Status ContextsService::DescribeContext(grpc::ServerContext* context,
                                              const v1::DescribeContextRequest* request,
                                              v1::DescribeContextReply* reply) {
  return calls_.Serve("DescribeContext", *context, *request, [&](absl::Time deadline) {
    auto described = coordinator_.DescribeContext(
        wire::ToContextName(request->tenant(), request->context_id()), deadline);
    if (described.ok()) {
      *reply->mutable_context() = wire::FromContextInfo(described->first);
      *reply->mutable_profile() = wire::FromProfile(*described->second);
    }
    return described.status();
  });
}

grpc::Status ContextsService::ListContexts(grpc::ServerContext* context,
                                           const v1::ListContextsRequest* request,
                                           v1::ListContextsReply* reply) {
  return calls_.Serve("ListContexts", *context, *request, [&](absl::Time deadline) -> absl::Status {
    const uint32_t page_size = request->page_size() == 0 ? kDefaultPageSize : request->page_size();
    if (page_size > kMaxPageSize) {
      return InvalidField("page_size", absl::StrCat(page_size), absl::StrCat("0..", kMaxPageSize));
    }
    absl::StatusOr<coordinator::ContextPage> page = coordinator_.ListContexts(
        wire::ToContextName(request->tenant(), "").tenant, request->after(), page_size, deadline);
    if (!page.ok()) return page.status();
    for (const coordinator::ContextInfo& info : page->contexts) {
      *reply->add_contexts() = wire::FromListedContext(info);
    }
    reply->set_next(page->next);
    return absl::OkStatus();
  });
}

grpc::Status ContextsService::DeleteContext(grpc::ServerContext* context,
                                            const v1::DeleteContextRequest* request,
                                            v1::DeleteContextReply*) {
  return calls_.Serve("DeleteContext", *context, *request, [&](absl::Time deadline) {
    return coordinator_.DeleteContext(wire::ToContextName(request->tenant(), request->context_id()),
                                      deadline);
  });
}

grpc::Status ContextsService::RenewLease(grpc::ServerContext* context,
                                         const v1::RenewLeaseRequest* request,
                                         v1::RenewLeaseReply*) {
  return calls_.Serve("RenewLease", *context, *request, [&](absl::Time deadline) -> absl::Status {
    absl::StatusOr<absl::Duration> ttl = wire::ToTtl(request->ttl_ms());
    if (!ttl.ok()) return ttl.status();
    return coordinator_.maintenance().RenewLease(
        wire::ToContextName(request->tenant(), request->context_id()), *ttl, deadline);
  });
}

grpc::Status ContextsService::PinContext(grpc::ServerContext* context,
                                         const v1::PinContextRequest* request,
                                         v1::PinContextReply*) {
  return calls_.Serve("PinContext", *context, *request, [&](absl::Time deadline) -> absl::Status {
    const auto name = wire::ToContextName(request->tenant(), request->context_id());
    const absl::StatusOr<absl::Duration> duration = wire::ToPinDuration(*request);
    if (!duration.ok()) return duration.status();
    const coordinator::Maintenance& maintenance = coordinator_.maintenance();
    return request->pinned() ? maintenance.PinContext(name, *duration, deadline)
                             : maintenance.UnpinContext(name, deadline);
  });
}

}  // namespace winnow
