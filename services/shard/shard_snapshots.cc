#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/shard/shard_impl.h"
#include "storage/snapshot.h"

namespace winnow::shard {
namespace {

// That the snapshot may become the call's context.
absl::Status CheckManifest(const SnapshotManifest& manifest, const LoadSnapshot& call) {
  const std::string name = SnapshotName(call.directory);
  if (!manifest.name.empty() && manifest.name != name) {
    return Error(absl::StatusCode::kFailedPrecondition, "OTHER_SHARD",
                 absl::StrCat("the snapshot in ", call.directory, " was saved as ", manifest.name,
                              ", by another shard; give the directories their names again"),
                 {{"name", manifest.name}});
  }
  if (manifest.shards == call.shards) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "OTHER_SHARDS",
               absl::StrCat("the snapshot in ", call.directory, " was taken of ", manifest.shards,
                            " shards and cannot be loaded into ", call.shards),
               {{"shards", absl::StrCat(manifest.shards)}});
}

}  // namespace

absl::StatusOr<Result> Shard::Impl::Run(const SaveSnapshot& call, absl::Time deadline) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  SnapshotResult result;
  const std::vector<std::shared_ptr<Stripe>> all = (*context)->Stripes(0, UINT32_MAX);
  if (!all.empty()) result.total_stripes = all.back()->number() + 1;
  if (call.stripes != 0) {
    std::vector<std::string> damaged;
    absl::StatusOr<uint64_t> bytes =
        SavePart(call.directory,
                 {.record = (*context)->record(), .entries = call.entries, .shards = call.shards},
                 call.first_stripe, call.stripes,
                 (*context)->Stripes(call.first_stripe, call.stripes), deadline, &damaged);
    for (const std::string& damage : damaged) ReportDamage(call.context_id, damage);
    if (!bytes.ok()) return bytes.status();
    result.bytes = *bytes;
  }
  const uint32_t end = call.first_stripe + call.stripes;
  const auto next = std::find_if(all.begin(), all.end(),
                                 [end](const auto& stripe) { return stripe->number() >= end; });
  if (next != all.end()) result.next_stripe = (*next)->number();
  if (call.finish) {
    absl::Status status = FinishSnapshot(call.directory, (*context)->record(), all);
    if (!status.ok()) return status;
  }
  return result;
}

absl::StatusOr<std::shared_ptr<Context>> Shard::Impl::ContextToLoad(const LoadSnapshot& call,
                                                                    const ContextRecord& saved,
                                                                    absl::Time deadline) {
  if (call.first_stripe == 0) {
    absl::StatusOr<Result> created =
        Run(CreateContext{.context_id = call.context_id,
                          .tenant = call.tenant,
                          .profile = std::make_shared<const Profile>(saved.profile),
                          .placement_key = saved.placement_key,
                          .durability = store_ == nullptr ? Durability::kMemory : saved.durability},
            deadline);
    if (!created.ok()) return created.status();
  }
  absl::StatusOr<std::shared_ptr<Context>> context =
      call.first_stripe == 0 ? Find(call.context_id) : Find(call.context_id, call.incarnation);
  if (!context.ok() || (*context)->IsLike({.tenant = call.tenant,
                                           .profile = saved.profile,
                                           .placement_key = saved.placement_key})) {
    return context;
  }
  return Error(absl::StatusCode::kFailedPrecondition, "SNAPSHOT_OF_ANOTHER",
               absl::StrCat("the snapshot in ", call.directory, " is not of context ",
                            call.context_id, ", whose first range was loaded from elsewhere"));
}

absl::StatusOr<Result> Shard::Impl::Run(const LoadSnapshot& call, absl::Time deadline) {
  absl::StatusOr<SnapshotManifest> manifest = ReadManifest(call.directory);
  if (!manifest.ok()) return manifest.status();
  if (absl::Status status = CheckManifest(*manifest, call); !status.ok()) return status;
  absl::StatusOr<std::shared_ptr<Context>> context =
      ContextToLoad(call, manifest->record, deadline);
  if (!context.ok()) return context.status();
  SnapshotResult result;
  const uint32_t end = call.first_stripe + call.stripes;
  for (const SnapshotPart& part : manifest->parts) {
    result.total_stripes = std::max(result.total_stripes, part.first_stripe + part.stripes);
    if (part.first_stripe < call.first_stripe) continue;
    if (part.first_stripe >= end) {
      if (result.next_stripe == 0) result.next_stripe = part.first_stripe;
      continue;
    }
    absl::Status status = LoadPart(call.directory, (*context)->profile(), part,
                                   [&](uint32_t stripe, uint32_t count, const LayerBytes& bytes) {
                                     absl::Status in_time = CheckTime(deadline);
                                     if (!in_time.ok()) return in_time;
                                     return Run(Append{.context_id = call.context_id,
                                                       .incarnation = (*context)->incarnation(),
                                                       .stripe = stripe,
                                                       .count = count,
                                                       .layers = {bytes}},
                                                deadline)
                                         .status();
                                   });
    if (!status.ok()) return status;
    result.bytes += part.seal.bytes;
  }
  return result;
}

absl::StatusOr<Result> Shard::Impl::Run(const ListSnapshots& call, absl::Time) {
  absl::StatusOr<std::vector<std::string>> names = winnow::ListSnapshots(call.directory, call.part);
  if (!names.ok()) return names.status();
  return NamesResult{*std::move(names)};
}

}  // namespace winnow::shard
