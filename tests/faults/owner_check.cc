#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/error.h"
#include "tests/faults/owner.h"

namespace winnow::testing {
namespace {

constexpr uint64_t kChunk = 2000;  // entries of a message

// The i-th KV row of a reply belongs to the i-th position.
std::string GatheredDifference(const v1::GatherReply& gathered, uint64_t entries,
                               const std::vector<std::byte>& right) {
  const std::string& positions = gathered.selection().positions();
  if (positions.size() != entries * sizeof(int32_t)) {
    return absl::StrCat(positions.size() / sizeof(int32_t), " positions for ", entries);
  }
  const size_t row_bytes = right.size() / entries;
  std::vector<bool> seen(entries);
  for (uint64_t i = 0; i < entries; ++i) {
    int32_t position = 0;
    std::memcpy(&position, &positions[i * sizeof(position)], sizeof(position));
    const auto at = static_cast<size_t>(position);
    if (at >= entries || seen[at]) return absl::StrCat("position ", position, " twice or nowhere");
    seen[at] = true;
    if (std::memcmp(&gathered.kv_rows()[i * row_bytes], &right[at * row_bytes], row_bytes) != 0) {
      return absl::StrCat("WRONG BYTES in the row of position ", position);
    }
  }
  return "";
}

}  // namespace

void Owner::Return(Rpc* rpc) {
  gone_ = false;
  for (const bool large : {false, true}) {
    const auto fingerprint = rpc->RegisterProfile(FaultProfile(large));
    if (!fingerprint.ok()) return Wrong("profile", fingerprint.status().ToString());
    fingerprints_[large] = *fingerprint;
  }
  // What was kept in memory alone went with the process.
  std::erase_if(contexts_, [](const auto& context) {
    return context.second.durability == Durability::kMemory;
  });
  if (under_way_ && under_way_->context.durability == Durability::kMemory &&
      under_way_->act != Act::kCreate) {
    under_way_.reset();
  }
  if (under_way_) Settle(rpc);
  if (under_way_) Wrong(under_way_->context.id, "cannot be settled");
}

void Owner::Verify(Rpc* rpc) {
  for (const auto& [id, context] : contexts_) VerifyContext(rpc, context);
  const auto listed = rpc->List();
  if (!listed.ok()) return Wrong("list", listed.status().ToString());
  std::vector<std::string> found;
  std::copy_if(listed->begin(), listed->end(), std::back_inserter(found),
               [this](const std::string& id) { return id.rfind(name_ + "-", 0) == 0; });
  std::vector<std::string> wanted;
  for (const auto& [id, context] : contexts_) wanted.push_back(id);
  std::sort(found.begin(), found.end());
  if (found != wanted) {
    Wrong("list", absl::StrCat("holds ", absl::StrJoin(found, " "), " but should hold ",
                               absl::StrJoin(wanted, " ")));
  }
}

void Owner::VerifyContext(Rpc* rpc, const OwnedContext& context) {
  const auto info = rpc->Describe(context.id);
  if (!info.ok()) return Wrong(context.id, absl::StrCat("LOST: ", info.status().ToString()));
  CompareOutline(context, *info);
  CompareRows(rpc, context);
  // A sealed context takes no append, not even one that changes nothing; a fork of it does.
  const std::string id = context.sealed ? absl::StrCat("check-", context.id) : context.id;
  OwnedContext compared = context;
  if (context.sealed) {
    const absl::Status forked = rpc->Fork(context.id, context.entries(), id);
    if (!forked.ok()) return Wrong(id, forked.ToString());
    for (uint64_t& end : compared.ends) end = std::min(end, context.entries());
  }
  AppendAgain(rpc, compared, id);
  AppendOther(rpc, compared, id);
  if (!context.sealed) return;
  if (const absl::Status deleted = rpc->Delete(id); !deleted.ok()) Wrong(id, deleted.ToString());
  AppendOther(rpc, context, context.id);
}

void Owner::CompareOutline(const OwnedContext& context, const v1::ContextInfo& info) {
  const std::vector<uint64_t> ends(info.layer_entries().begin(), info.layer_entries().end());
  const bool same = ends == context.ends && info.entries() == context.entries() &&
                    info.sealed() == context.sealed &&
                    static_cast<int>(info.durability()) == static_cast<int>(context.durability);
  if (same) return;
  Wrong(context.id, absl::StrCat("holds ", info.ShortDebugString(), " but should hold ",
                                 absl::StrJoin(context.ends, " "), ", sealed ", context.sealed));
}

void Owner::CompareRows(Rpc* rpc, const OwnedContext& context) {
  uint64_t selected = 0;  // entries of the last selection
  uint64_t selection_id = 0;
  for (int layer = 0; layer < static_cast<int>(context.profile.layers.size()); ++layer) {
    const uint64_t end = context.ends[static_cast<size_t>(layer)];
    if (context.profile.has_index(layer)) {
      selected = end;
      // So that the layer after it, which may be behind, can share the selection.
      if (layer == 0) selected = std::min(end, context.ends[1]);
      for (const uint64_t entries : {end, selected}) {
        if (entries == 0) continue;
        const auto gathered = rpc->GatherAll(context.id, context.profile, layer, entries);
        CompareGathered(context, layer, entries, gathered);
        selection_id = gathered.ok() ? gathered->selection().selection_id() : 0;
        if (end == selected) break;
      }
    } else if (context.profile.stores(layer) && selected > 0) {
      CompareGathered(context, layer, selected,
                      rpc->GatherSelected(context.id, layer, selection_id));
    }
  }
}

void Owner::CompareGathered(const OwnedContext& context, int layer, uint64_t entries,
                            const absl::StatusOr<v1::GatherReply>& gathered) {
  const std::string difference =
      !gathered.ok() ? gathered.status().ToString()
                     : GatheredDifference(*gathered, entries,
                                          context.content.Rows(context.profile, layer, 0, entries));
  if (!difference.empty()) {
    Wrong(context.id, absl::StrCat("gathered layer ", layer, ": ", difference));
  }
}

void Owner::AppendAgain(Rpc* rpc, const OwnedContext& context, const std::string& id) {
  const Profile& profile = context.profile;
  for (int layer = 0; layer < static_cast<int>(profile.layers.size()); ++layer) {
    const uint64_t end = context.ends[static_cast<size_t>(layer)];
    for (uint64_t start = 0; start < end; start += kChunk) {
      const uint64_t count = std::min(kChunk, end - start);
      const auto reply =
          rpc->Append(id, start, static_cast<uint32_t>(count),
                      {LayerMessage(layer, context.content.Keys(profile, layer, start, count),
                                    context.content.Rows(profile, layer, start, count))});
      if (!reply.ok()) {
        Wrong(id,
              absl::StrCat("layer ", layer, " again at ", start, ": ", reply.status().ToString()));
      } else if (reply->entries_written() != 0) {
        Wrong(id, absl::StrCat("layer ", layer, " again at ", start, ": LOST ",
                               reply->entries_written(), " entries"));
      }
    }
  }
}

void Owner::AppendOther(Rpc* rpc, const OwnedContext& context, const std::string& id) {
  if (context.ends[0] == 0) return;
  const uint64_t position = random_() % context.ends[0];
  std::vector<std::byte> keys = context.content.Keys(context.profile, 0, position, 1);
  std::vector<std::byte> rows = context.content.Rows(context.profile, 0, position, 1);
  std::vector<std::byte>& plane = Random(0, 1) == 0 ? keys : rows;
  plane[random_() % 16] ^= std::byte{1};
  const auto reply = rpc->Append(id, position, 1, {LayerMessage(0, keys, rows)});
  const std::string right =
      context.sealed && id == context.id ? "CONTEXT_SEALED" : "APPEND_CONFLICT";
  if (ErrorReason(reply.status()) == right) return;
  Wrong(id, absl::StrCat("other bytes at ", position, ": ", reply.status().ToString(),
                         "; it must be ", right));
}

}  // namespace winnow::testing
