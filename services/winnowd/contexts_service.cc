#include "services/winnowd/contexts_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/winnowd/call.h"
#include "services/wire/fields.h"
#include "services/wire/profile.h"
#include "services/wire/requests.h"
#include "storage/error.h"

namespace winnow {
namespace {

constexpr uint32_t kDefaultPageSize = 1000;
constexpr uint32_t kMaxPageSize = 10000;

}  // namespace

absl::Time ContextsService::Deadline(const grpc::ServerContext& context) const {
  return CallDeadline(context, max_deadline_);
}

grpc::Status ContextsService::RegisterProfile(grpc::ServerContext*,
                                              const v1::RegisterProfileRequest* request,
                                              v1::RegisterProfileReply* reply) {
  absl::StatusOr<Profile> profile = wire::ToProfile(request->profile());
  if (!profile.ok()) return Finish("RegisterProfile", profile.status());
  absl::StatusOr<std::string> fingerprint = coordinator_.RegisterProfile(*profile);
  if (fingerprint.ok()) reply->set_fingerprint(*fingerprint);
  return Finish("RegisterProfile", fingerprint.status());
}

grpc::Status ContextsService::ListProfiles(grpc::ServerContext*, const v1::ListProfilesRequest*,
                                           v1::ListProfilesReply* reply) {
  auto profiles = coordinator_.ListProfiles();
  if (!profiles.ok()) return Finish("ListProfiles", profiles.status());
  for (const auto& [fingerprint, profile] : *profiles) {
    v1::ListProfilesReply::Item* item = reply->add_profiles();
    item->set_fingerprint(fingerprint);
    *item->mutable_profile() = wire::FromProfile(profile);
  }
  return grpc::Status::OK;
}

grpc::Status ContextsService::CreateContext(grpc::ServerContext* context,
                                            const v1::CreateContextRequest* request,
                                            v1::CreateContextReply* reply) {
  absl::StatusOr<coordinator::ContextOptions> options = wire::ToOptions(*request);
  if (!options.ok()) return Finish("CreateContext", options.status());
  absl::StatusOr<std::string> id =
      coordinator_.CreateContext(wire::ToContextName(request->tenant(), request->context_id()),
                                 request->profile_fingerprint(), Deadline(*context), *options);
  if (id.ok()) reply->set_context_id(*id);
  return Finish("CreateContext", id.status());
}

grpc::Status ContextsService::AppendEntries(grpc::ServerContext* context,
                                            const v1::AppendEntriesRequest* request,
                                            v1::AppendEntriesReply* reply) {
  absl::StatusOr<coordinator::AppendReply> end =
      coordinator_.Append(wire::ToAppend(*request), Deadline(*context));
  if (end.ok()) wire::FromAppendReply(*end, reply);
  return Finish("AppendEntries", end.status());
}

grpc::Status ContextsService::AppendStream(grpc::ServerContext* context,
                                           grpc::ServerReader<v1::AppendEntriesRequest>* reader,
                                           v1::AppendEntriesReply* reply) {
  Streams::Stream stream(streams_, context);
  v1::AppendEntriesRequest request;
  while (reader->Read(&request)) {
    stream.BeginWork();
    absl::StatusOr<coordinator::AppendReply> end =
        coordinator_.Append(wire::ToAppend(request), Deadline(*context));
    const bool go_on = stream.EndWork();
    if (!end.ok()) return Finish("AppendStream", end.status());
    wire::FromAppendReply(*end, reply);
    if (!go_on) {
      return Finish(
          "AppendStream",
          Error(absl::StatusCode::kUnavailable, "DRAINING",
                absl::StrCat("the server is stopping; resume from position ", end->end_position),
                {{"resume_position", absl::StrCat(end->end_position)}}));
    }
  }
  return grpc::Status::OK;
}

grpc::Status ContextsService::ForkContext(grpc::ServerContext* context,
                                          const v1::ForkContextRequest* request,
                                          v1::ForkContextReply* reply) {
  absl::StatusOr<absl::Duration> ttl = wire::ToTtl(request->ttl_ms());
  if (!ttl.ok()) return Finish("ForkContext", ttl.status());
  absl::StatusOr<std::string> id =
      coordinator_.ForkContext(wire::ToContextName(request->tenant(), request->parent_context_id()),
                               request->entries(), request->context_id(), Deadline(*context), *ttl);
  if (id.ok()) reply->set_context_id(*id);
  return Finish("ForkContext", id.status());
}

grpc::Status ContextsService::SealContext(grpc::ServerContext* context,
                                          const v1::SealContextRequest* request,
                                          v1::SealContextReply*) {
  return Finish("SealContext", coordinator_.SealContext(
                                   wire::ToContextName(request->tenant(), request->context_id()),
                                   Deadline(*context)));
}

grpc::Status ContextsService::DescribeContext(grpc::ServerContext* context,
                                              const v1::DescribeContextRequest* request,
                                              v1::DescribeContextReply* reply) {
  auto described = coordinator_.DescribeContext(
      wire::ToContextName(request->tenant(), request->context_id()), Deadline(*context));
  if (described.ok()) {
    *reply->mutable_context() = wire::FromContextInfo(described->first);
    *reply->mutable_profile() = wire::FromProfile(*described->second);
  }
  return Finish("DescribeContext", described.status());
}

grpc::Status ContextsService::ListContexts(grpc::ServerContext* context,
                                           const v1::ListContextsRequest* request,
                                           v1::ListContextsReply* reply) {
  const uint32_t page_size = request->page_size() == 0 ? kDefaultPageSize : request->page_size();
  if (page_size > kMaxPageSize) {
    return Finish("ListContexts", InvalidField("page_size", absl::StrCat(page_size),
                                               absl::StrCat("0..", kMaxPageSize)));
  }
  absl::StatusOr<coordinator::ContextPage> page =
      coordinator_.ListContexts(wire::ToContextName(request->tenant(), "").tenant, request->after(),
                                page_size, Deadline(*context));
  if (!page.ok()) return Finish("ListContexts", page.status());
  for (const coordinator::ContextInfo& info : page->contexts) {
    *reply->add_contexts() = wire::FromContextInfo(info);
  }
  reply->set_next(page->next);
  return grpc::Status::OK;
}

grpc::Status ContextsService::DeleteContext(grpc::ServerContext* context,
                                            const v1::DeleteContextRequest* request,
                                            v1::DeleteContextReply*) {
  return Finish("DeleteContext", coordinator_.DeleteContext(
                                     wire::ToContextName(request->tenant(), request->context_id()),
                                     Deadline(*context)));
}

grpc::Status ContextsService::RenewLease(grpc::ServerContext* context,
                                         const v1::RenewLeaseRequest* request,
                                         v1::RenewLeaseReply*) {
  absl::StatusOr<absl::Duration> ttl = wire::ToTtl(request->ttl_ms());
  if (!ttl.ok()) return Finish("RenewLease", ttl.status());
  return Finish("RenewLease", coordinator_.maintenance().RenewLease(
                                  wire::ToContextName(request->tenant(), request->context_id()),
                                  *ttl, Deadline(*context)));
}

grpc::Status ContextsService::PinContext(grpc::ServerContext* context,
                                         const v1::PinContextRequest* request,
                                         v1::PinContextReply*) {
  const auto name = wire::ToContextName(request->tenant(), request->context_id());
  const absl::StatusOr<absl::Duration> duration = wire::ToPinDuration(*request);
  if (!duration.ok()) return Finish("PinContext", duration.status());
  const coordinator::Maintenance& maintenance = coordinator_.maintenance();
  return Finish("PinContext", request->pinned()
                                  ? maintenance.PinContext(name, *duration, Deadline(*context))
                                  : maintenance.UnpinContext(name, Deadline(*context)));
}

}  // namespace winnow
