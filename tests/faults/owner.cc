#include "tests/faults/owner.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/error.h"
#include "storage/stripe.h"

namespace winnow::testing {
namespace {

constexpr size_t kMaxContexts = 7;
constexpr uint64_t kMaxSmall = 6000;  // entries; more than a stripe
constexpr uint64_t kMaxLarge = 700;

bool Nobody(const absl::Status& status) {
  return ErrorReason(status).empty() && (absl::IsUnavailable(status) || absl::IsCancelled(status) ||
                                         absl::IsDeadlineExceeded(status));
}

bool HasLargeRows(const OwnedContext& context) { return context.profile == FaultProfile(true); }

}  // namespace

const char* ActName(Act act) {
  constexpr const char* kNames[] = {"nothing", "create", "append",  "fork", "seal",
                                    "delete",  "spill",  "restore", "query"};
  return kNames[static_cast<size_t>(act)];
}

uint64_t OwnedContext::entries() const {
  uint64_t entries = ~uint64_t{0};
  for (size_t i = 0; i < ends.size(); ++i) {
    if (profile.stores(static_cast<int>(i))) entries = std::min(entries, ends[i]);
  }
  return entries;
}

void Owner::Work(Rpc* rpc, Act emphasis, const std::atomic<bool>& stop) {
  while (!gone_ && !stop && wrong_.empty()) {
    if (under_way_) {
      Settle(rpc);
    } else {
      Step(rpc, Choose(emphasis));
    }
  }
}

const OwnedContext* Owner::FindOpen() const {
  for (const auto& [id, context] : contexts_) {
    if (context.entries() > 0 && !context.sealed) return &context;
  }
  return nullptr;
}

void Owner::HoldOne(Rpc* rpc) {
  constexpr int kTries = 200;  // an append may choose another context, or few of the layers
  for (int i = 0; i < kTries && !gone_ && FindOpen() == nullptr; ++i) {
    Step(rpc, i % 8 == 0 ? Act::kCreate : Act::kAppend);
  }
}

Act Owner::Choose(Act emphasis) {
  if (contexts_.size() < 2) return Act::kCreate;
  const int dice = Random(0, 99);
  if (emphasis != Act::kNone && Random(0, 2) == 0) return emphasis;
  if (dice < 70) return Act::kAppend;
  if (dice < 76) return Act::kSpill;
  if (dice < 81) return Act::kRestore;
  if (dice < 88) return Act::kQuery;
  if (dice < 91) return Act::kFork;
  if (dice < 93) return Act::kSeal;
  if (dice < 97) return Act::kDelete;
  return Act::kCreate;
}

void Owner::Step(Rpc* rpc, Act act) {
  const bool adds = act == Act::kCreate || act == Act::kFork;
  if (adds && contexts_.size() >= kMaxContexts) act = Act::kDelete;
  if (act == Act::kCreate) return Create(rpc);
  const auto any = std::next(contexts_.begin(), Random(0, static_cast<int>(contexts_.size()) - 1));
  const OwnedContext context = any->second;
  if (act == Act::kAppend) return Append(rpc, context);
  if (act == Act::kFork) return Fork(rpc, context);
  const UnderWay call{.act = act, .context = context};
  const auto planes = static_cast<v1::Planes>(Random(v1::PLANES_KV, v1::PLANES_ALL));
  Begin(call);
  absl::Status status;
  if (act == Act::kSeal) status = rpc->Seal(context.id);
  if (act == Act::kDelete) status = rpc->Delete(context.id);
  if (act == Act::kSpill) status = rpc->Spill(context.id, planes);
  if (act == Act::kRestore) status = rpc->Restore(context.id, planes);
  if (act == Act::kQuery && context.entries() > 0) {
    const uint64_t visible = 1 + random_() % context.entries();
    status = rpc->Attend(context.id, context.profile, 0, visible).status();
  }
  if (Answered(status)) Done(call);
}

void Owner::Create(Rpc* rpc) {
  constexpr Durability kChoices[] = {Durability::kLogged, Durability::kLogged, Durability::kLogged,
                                     Durability::kSynced, Durability::kMemory};
  UnderWay call{.act = Act::kCreate};
  OwnedContext& context = call.context;
  const bool large = Random(0, 2) != 0;
  context.id = absl::StrCat(name_, "-", names_++);
  context.durability = kChoices[Random(0, static_cast<int>(std::size(kChoices)) - 1)];
  context.profile = FaultProfile(large);
  context.content = Content(random_());
  context.ends.resize(context.profile.layers.size());
  Begin(call);
  if (Answered(rpc->Create(fingerprints_[large], context.id, context.durability))) Done(call);
}

void Owner::Append(Rpc* rpc, const OwnedContext& context) {
  const Profile& profile = context.profile;
  const bool large = HasLargeRows(context);
  UnderWay call{.act = Act::kAppend, .context = context, .start = context.entries()};
  call.count = static_cast<uint32_t>(Random(1, large ? 60 : 700));
  const bool full = call.start + call.count > (large ? kMaxLarge : kMaxSmall);
  if (full || context.sealed) return Step(rpc, Random(0, 1) == 0 ? Act::kFork : Act::kDelete);
  const bool all_layers = Random(0, 2) != 0;
  std::vector<v1::LayerEntries> layers;
  uint64_t added = 0;
  for (int layer = 0; layer < static_cast<int>(profile.layers.size()); ++layer) {
    const uint64_t end = context.ends[static_cast<size_t>(layer)];
    // One layer alone is the one behind; in all layers, what is there already is sent again.
    if (!profile.stores(layer) || !(all_layers || end == call.start)) continue;
    call.layers.push_back(layer);
    layers.push_back(LayerMessage(layer,
                                  context.content.Keys(profile, layer, call.start, call.count),
                                  context.content.Rows(profile, layer, call.start, call.count)));
    added += std::max(end, call.start + call.count) - end;
    if (!all_layers) break;
  }
  Begin(call);
  const auto reply = rpc->Append(context.id, call.start, call.count, layers);
  if (!Answered(reply.status())) return;
  if (reply->entries_written() != added) {
    Wrong(context.id, absl::StrCat(reply->entries_written(), " entries written of ", added));
  }
  acknowledged_entries_ += added;
  Done(call);
}

void Owner::Fork(Rpc* rpc, const OwnedContext& parent) {
  const uint64_t entries = random_() % (parent.entries() + 1);
  UnderWay call{.act = Act::kFork, .context = parent, .parent = parent.id, .start = entries};
  OwnedContext& fork = call.context;
  fork.id = absl::StrCat(name_, "-", names_++);
  fork.sealed = false;
  fork.content = parent.content.ContinuedBy(random_(), entries);
  for (uint64_t& end : fork.ends) end = std::min(end, entries);
  Begin(call);
  if (Answered(rpc->Fork(parent.id, entries, fork.id))) Done(call);
}

void Owner::Begin(UnderWay call) {
  act_ = call.act;
  under_way_ = std::move(call);
}

bool Owner::Answered(const absl::Status& status) {
  if (Nobody(status)) {
    gone_ = true;
    return false;
  }
  act_ = Act::kNone;
  // Perhaps done in part: it stays to be settled.
  if (absl::IsResourceExhausted(status)) return false;
  if (!status.ok()) {
    Wrong(under_way_->context.id, absl::StrCat(ActName(under_way_->act), ": ", status.ToString()));
  }
  return status.ok();
}

void Owner::Done(const UnderWay& call) {
  const std::string& id = call.context.id;
  if (call.act == Act::kCreate || call.act == Act::kFork) contexts_[id] = call.context;
  if (call.act == Act::kDelete) contexts_.erase(id);
  if (call.act == Act::kSeal) contexts_.at(id).sealed = true;
  if (call.act == Act::kAppend) {
    std::vector<uint64_t>& ends = contexts_.at(id).ends;
    for (const int layer : call.layers) {
      uint64_t& end = ends[static_cast<size_t>(layer)];
      end = std::max(end, call.start + call.count);
    }
  }
  under_way_.reset();
}

void Owner::Settle(Rpc* rpc) {
  const UnderWay call = *under_way_;
  const std::string& id = call.context.id;
  absl::Status status;
  switch (call.act) {
    case Act::kAppend:
      return SettleAppend(rpc, call);
    case Act::kCreate:
      status = rpc->Create(fingerprints_[HasLargeRows(call.context)], id, call.context.durability);
      break;
    case Act::kFork:
      status = rpc->Fork(call.parent, call.start, id);
      break;
    case Act::kSeal:
      status = rpc->Seal(id);
      break;
    case Act::kDelete:
      status = rpc->Delete(id);
      if (absl::IsNotFound(status)) status = absl::OkStatus();
      break;
    default:
      break;
  }
  if (Answered(status)) Done(call);
}

// A shard takes the part of an append in one stripe wholly or not at all, one stripe after another.
void Owner::SettleAppend(Rpc* rpc, const UnderWay& append) {
  const std::string& id = append.context.id;
  const auto info = rpc->Describe(id);
  if (!Answered(info.status())) return;
  under_way_.reset();
  const uint64_t end = append.start + append.count;
  const std::vector<uint64_t> found(info->layer_entries().begin(), info->layer_entries().end());
  for (uint64_t cut = append.start;;
       cut = std::min(end, (cut / kStripeEntries + 1) * kStripeEntries)) {
    std::vector<uint64_t> ends = append.context.ends;
    for (const int layer : append.layers) {
      ends[static_cast<size_t>(layer)] = std::max(ends[static_cast<size_t>(layer)], cut);
    }
    if (found == ends) {
      OwnedContext& context = contexts_.at(id);
      context.ends = ends;
      // An engine may well go on differently after a crash.
      if (Random(0, 1) == 0) {
        context.content =
            context.content.ContinuedBy(random_(), *std::max_element(ends.begin(), ends.end()));
      }
      return;
    }
    if (cut == end) break;
  }
  Wrong(id, absl::StrCat("an append of ", append.count, " at ", append.start, " to ",
                         append.layers.size(), " layers left ", info->ShortDebugString()));
}

void Owner::Wrong(const std::string& id, const std::string& what) {
  wrong_.push_back(absl::StrCat(id, ": ", what));
}

}  // namespace winnow::testing
