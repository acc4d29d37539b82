#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "services/coordinator/coordinator_impl.h"
#include "services/coordinator/validate.h"

namespace winnow::coordinator {
namespace {

// A shard speaks of entries of a stripe; the caller of positions. Before a piece that is stored,
// those before it have been.
absl::Status InPositions(const absl::Status& status, const AppendPiece& piece, bool compare_only) {
  if (ErrorReason(status) != "APPEND_CONFLICT") return status;
  const std::map<std::string, std::string> facts = ErrorFacts(status);
  const auto offset = facts.find("offset");
  const auto layer = facts.find("layer");
  if (offset == facts.end() || layer == facts.end()) return status;
  const uint64_t start = uint64_t{piece.stripe} * kStripeEntries;
  const uint64_t position = start + std::strtoull(offset->second.c_str(), nullptr, 10);
  const std::string done = compare_only || piece.first == 0
                               ? "nothing was changed"
                               : absl::StrCat("what comes before ", start, " is stored");
  return Error(absl::StatusCode::kAborted, "APPEND_CONFLICT",
               absl::StrCat("position ", position, " of layer ", layer->second,
                            " is held with other bytes; ", done),
               {{"position", absl::StrCat(position)}, {"layer", layer->second}});
}

// [layers of the request] where each ends, over all shards.
std::vector<uint64_t> LayerEnds(const std::vector<shard::ContextState>& states,
                                const AppendEntries& request) {
  std::vector<uint64_t> ends;
  for (const LayerBytes& layer : request.layers) {
    uint64_t end = 0;
    for (const shard::ContextState& state : states) {
      end = std::max(end, state.layer_ends[layer.layer]);
    }
    ends.push_back(end);
  }
  return ends;
}

absl::Status Gap(const AppendEntries& request, const std::vector<uint64_t>& ends) {
  const size_t shortest = std::min_element(ends.begin(), ends.end()) - ends.begin();
  return Error(
      absl::StatusCode::kOutOfRange, "APPEND_GAP",
      absl::StrCat("append at ", request.start_position, " but context ",
                   request.context.context_id, " has ", ends[shortest], " entries in layer ",
                   request.layers[shortest].layer, "; resend from ", ends[shortest]),
      {{"resume_position", absl::StrCat(ends[shortest])},
       {"layer", absl::StrCat(request.layers[shortest].layer)}});
}

}  // namespace

absl::StatusOr<AppendReply> Coordinator::Impl::Append(const AppendEntries& request,
                                                      absl::Time deadline) {
  if (absl::Status status = ValidateAppendBounds(request); !status.ok()) return status;
  bool stored = false;
  return WithRoute(request.context, deadline,
                   [&](const ContextRoute& route) -> absl::StatusOr<AppendReply> {
                     // The context that has the beginning is gone; the rest is not for another one
                     // of its name.
                     if (stored) return UnknownContext(request.context);
                     return AppendTo(route, request, deadline, &stored);
                   });
}

absl::Status Coordinator::Impl::GapError(const ContextRoute& route, const AppendEntries& request,
                                         absl::Time deadline) {
  absl::StatusOr<std::vector<shard::ContextState>> states = DescribeAll(route, deadline);
  if (!states.ok()) return states.status();
  const std::vector<uint64_t> ends = LayerEnds(*states, request);
  if (*std::min_element(ends.begin(), ends.end()) < request.start_position) {
    return Gap(request, ends);
  }
  // The layers go on behind what is missing: it is lost, unless it has been appended by now.
  const absl::Status whole = DescribeWhole(channels_, map_, route.name, deadline).status();
  return whole.ok() ? Gap(request, {request.start_position}) : whole;
}

absl::StatusOr<uint64_t> Coordinator::Impl::AppendPieceTo(const ContextRoute& route,
                                                          const AppendEntries& request,
                                                          const AppendPiece& piece,
                                                          bool compare_only, absl::Time deadline) {
  const shard::Append call{.context_id = route.shard_id,
                           .incarnation = route.incarnations[piece.shard],
                           .stripe = piece.stripe,
                           .offset = piece.offset,
                           .count = piece.count,
                           .layers = BytesOfPiece(*route.profile, request.layers, piece),
                           .compare_only = compare_only};
  absl::StatusOr<shard::Result> result = CallOne(channels_, piece.shard, call, deadline);
  if (!result.ok()) return InPositions(result.status(), piece, compare_only);
  const auto* appended = std::get_if<shard::AppendResult>(&*result);
  if (appended == nullptr) return UnexpectedAnswer(piece.shard);
  return appended->entries_written;
}

absl::Status Coordinator::Impl::CompareHeld(const ContextRoute& route, const AppendEntries& request,
                                            const std::vector<AppendPiece>& pieces,
                                            absl::Time deadline) {
  absl::StatusOr<std::vector<shard::ContextState>> states = DescribeAll(route, deadline);
  if (!states.ok()) return states.status();
  const std::vector<uint64_t> ends = LayerEnds(*states, request);
  if (*std::min_element(ends.begin(), ends.end()) < request.start_position) {
    return Gap(request, ends);
  }
  const uint64_t furthest = *std::max_element(ends.begin(), ends.end());
  for (const AppendPiece& piece : pieces) {
    if (request.start_position + piece.first >= furthest) break;
    // The first piece's layers reach its start; a later piece's may end before it, which is no gap
    // since the pieces before will fill it.
    AppendEntries held = request;
    held.layers.clear();
    for (size_t i = 0; i < ends.size(); ++i) {
      if (ends[i] > request.start_position + piece.first) held.layers.push_back(request.layers[i]);
    }
    absl::StatusOr<uint64_t> compared =
        AppendPieceTo(route, held, piece, /*compare_only=*/true, deadline);
    if (!compared.ok()) return compared.status();
  }
  return absl::OkStatus();
}

absl::Status Coordinator::Impl::CheckBeforeAppend(const ContextRoute& route,
                                                  const AppendEntries& request,
                                                  const std::vector<AppendPiece>& pieces,
                                                  absl::Time deadline) {
  // A shard takes one piece wholly or not at all; several must be known to fit before the first.
  if (pieces.size() > 1) return CompareHeld(route, request, pieces, deadline);
  const AppendPiece& piece = pieces.front();
  if (piece.offset != 0 || piece.stripe == 0) return absl::OkStatus();
  // The stripe cannot know whether the one before it is full.
  const uint32_t shard = ShardOfStripe(map_, route.placement_key, piece.stripe - 1);
  shard::Append check{.context_id = route.shard_id,
                      .incarnation = route.incarnations[shard],
                      .stripe = piece.stripe - 1,
                      .offset = kStripeEntries,
                      .check_only = true};
  for (const LayerBytes& layer : request.layers) check.layers.push_back({.layer = layer.layer});
  return CallOne(channels_, shard, check, deadline).status();
}

absl::StatusOr<AppendReply> Coordinator::Impl::AppendTo(const ContextRoute& route,
                                                        const AppendEntries& request,
                                                        absl::Time deadline, bool* stored) {
  if (absl::Status status = ValidateAppendBytes(*route.profile, request); !status.ok()) {
    return status;
  }
  const std::vector<AppendPiece> pieces =
      PlanAppend(map_, route.placement_key, request.start_position, request.count);
  absl::Status status = CheckBeforeAppend(route, request, pieces, deadline);
  AppendReply reply{.end_position = request.start_position + request.count};
  // One after the other, each acknowledged before the next: what is stored is always a prefix.
  for (const AppendPiece& piece : pieces) {
    if (!status.ok()) break;
    absl::StatusOr<uint64_t> written =
        AppendPieceTo(route, request, piece, /*compare_only=*/false, deadline);
    status = written.status();
    if (written.ok()) reply.entries_written += *written;
    *stored |= written.ok();
  }
  if (status.ok()) return reply;
  return ErrorReason(status) == "APPEND_GAP" && ErrorFacts(status).count("resume_position") == 0
             ? GapError(route, request, deadline)
             : status;
}

}  // namespace winnow::coordinator
