#ifndef WINNOW_SERVICES_COORDINATOR_COORDINATOR_IMPL_H_
#define WINNOW_SERVICES_COORDINATOR_COORDINATOR_IMPL_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/coordinator/context_directory.h"
#include "services/coordinator/coordinator.h"
#include "services/coordinator/describe.h"
#include "services/coordinator/fan_out.h"
#include "services/coordinator/plan.h"
#include "services/coordinator/profile_registry.h"
#include "services/coordinator/validate.h"
#include "services/coordinator/winners.h"
#include "storage/error.h"

namespace winnow::coordinator {

// A selection that has been merged, and what is needed to attend over it. With an earlier
// selection's id only the id is known; the shards hold the rest.
struct MergedSelection {
  uint64_t id = 0;
  uint32_t top_k = 0;
  CandidateRows rows;
  std::vector<kernels::Candidate> thresholds;  // [T]; empty for an earlier selection
  WinnerCounts winners;                        // the same
};

class Coordinator::Impl {
 public:
  explicit Impl(CoordinatorParts parts);
  // contexts.cc
  absl::StatusOr<std::string> CreateContext(const ContextName& name, const std::string& fingerprint,
                                            absl::Time deadline, const ContextOptions& options);
  absl::StatusOr<std::string> ForkContext(const ContextName& parent, uint64_t entries,
                                          const std::string& context_id, absl::Time deadline,
                                          absl::Duration ttl);
  absl::Status SealContext(const ContextName& name, absl::Time deadline);
  absl::Status DeleteContext(const ContextName& name, absl::Time deadline);
  absl::StatusOr<std::pair<ContextInfo, std::shared_ptr<const Profile>>> DescribeContext(
      const ContextName& name, absl::Time deadline);
  absl::StatusOr<ContextPage> ListContexts(const std::string& tenant, const std::string& after,
                                           uint32_t page_size, absl::Time deadline);

  // append.cc
  absl::StatusOr<AppendReply> Append(const AppendEntries& request, absl::Time deadline);

  // select.cc
  absl::StatusOr<SelectReply> Select(const Query& query, absl::Time deadline);

  // attend.cc
  absl::StatusOr<GatherReply> Gather(const Query& query, absl::Time deadline);
  absl::StatusOr<AttendReply> Attend(const AttendQuery& query, absl::Time deadline);

  // coordinator.cc
  std::vector<ShardState> ListShards(absl::Time deadline);
  ProfileRegistry& profiles() { return profiles_; }
  const Maintenance& maintenance() const { return maintenance_; }
  uint64_t epoch() const { return map_.epoch(); }

 private:
  // Runs fn(route) with the context's route; if the shards say that the context of a remembered one
  // is gone, once more with a fresh one.
  template <typename Fn>
  auto WithRoute(const ContextName& name, absl::Time deadline, Fn fn)
      -> decltype(fn(std::declval<const ContextRoute&>()));
  // NOT_FOUND UNKNOWN_CONTEXT, and DATA_LOSS MISSING_CONTEXT if only some shards hold the context.
  absl::StatusOr<std::shared_ptr<const ContextRoute>> LookUp(const ContextName& name,
                                                             absl::Time deadline);
  // [shards] what each holds. Errors of LookUp, and FAILED_PRECONDITION STALE_CONTEXT if that is
  // not the route's context any more.
  absl::StatusOr<std::vector<shard::ContextState>> DescribeAll(const ContextRoute& route,
                                                               absl::Time deadline);

  // Sets `stored` once a part of it is acknowledged.
  absl::StatusOr<AppendReply> AppendTo(const ContextRoute& route, const AppendEntries& request,
                                       absl::Time deadline, bool* stored);
  absl::Status CheckBeforeAppend(const ContextRoute& route, const AppendEntries& request,
                                 const std::vector<AppendPiece>& pieces, absl::Time deadline);
  absl::Status CompareHeld(const ContextRoute& route, const AppendEntries& request,
                           const std::vector<AppendPiece>& pieces, absl::Time deadline);
  absl::StatusOr<uint64_t> AppendPieceTo(const ContextRoute& route, const AppendEntries& request,
                                         const AppendPiece& piece, bool compare_only,
                                         absl::Time deadline);
  absl::Status GapError(const ContextRoute& route, const AppendEntries& request,
                        absl::Time deadline);

  // Scores on every shard and merges; the shards' winners are not fixed yet.
  absl::StatusOr<MergedSelection> MakeSelection(const ContextRoute& route, uint32_t layer,
                                                const IndexQuery& query, absl::Time deadline,
                                                CallStats* stats);
  // DATA_LOSS MISSING_STRIPES also where a query sees further than the layer goes.
  absl::StatusOr<MergedSelection> ScanOnce(const ContextRoute& route, uint32_t layer,
                                           const IndexQuery& query, absl::Time deadline,
                                           CallStats* stats);
  // What a query's source amounts to: a new selection, or the id of an earlier one.
  absl::StatusOr<MergedSelection> ResolveSource(const ContextRoute& route, const Query& query,
                                                absl::Time deadline, CallStats* stats);
  // Tells apart a query that sees too far from entries that are lost.
  absl::Status ExplainMissing(const ContextRoute& route, uint32_t layer, const IndexQuery& query,
                              absl::Status missing, absl::Time deadline);
  // Sends thresholds (or the earlier id) and asks for rows, partial attention or neither.
  absl::StatusOr<std::vector<shard::AttendResult>> AskWinners(
      const ContextRoute& route, uint32_t layer, const MergedSelection& selection, AttendPath path,
      std::span<const std::byte> queries, bool return_positions, absl::Time deadline,
      CallStats* stats);
  AttendPath PathFor(const ContextRoute& route, const AttendQuery& query, uint32_t query_rows,
                     const MergedSelection& selection) const;
  absl::StatusOr<GatherReply> GatherFrom(const ContextRoute& route, const Query& query,
                                         absl::Time deadline);
  absl::StatusOr<AttendReply> AttendTo(const ContextRoute& route, const AttendQuery& query,
                                       absl::Time deadline);
  void FinishByGather(const Profile& profile, const AttendQuery& query,
                      const std::vector<shard::AttendResult>& results, AttendReply* reply) const;
  void FinishByPushDown(const Profile& profile, const std::vector<shard::AttendResult>& results,
                        AttendReply* reply) const;

  uint32_t shards() const { return static_cast<uint32_t>(channels_.size()); }

  // Constant after construction; each synchronises itself.
  const cluster::ClusterMap map_;
  const std::vector<std::unique_ptr<ShardChannel>> channels_;
  const bool all_in_process_;
  const kernels::Backend& backend_;
  kernels::WorkerPool& pool_;
  ProfileRegistry profiles_;
  ContextDirectory directory_;
  const Maintenance maintenance_;
};

template <typename Fn>
auto Coordinator::Impl::WithRoute(const ContextName& name, absl::Time deadline, Fn fn)
    -> decltype(fn(std::declval<const ContextRoute&>())) {
  if (absl::Status status = ValidateContextName(name); !status.ok()) return status;
  if (const std::shared_ptr<const ContextRoute> known = directory_.Find(ShardId(name))) {
    auto result = fn(*known);
    if (!IsGone(result.status())) return result;
    directory_.Erase(known->shard_id);
  }
  absl::StatusOr<std::shared_ptr<const ContextRoute>> route = LookUp(name, deadline);
  if (!route.ok()) return route.status();
  auto result = fn(**route);
  return IsGone(result.status()) ? decltype(result)(UnknownContext(name)) : std::move(result);
}

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_COORDINATOR_IMPL_H_
