#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/stripe.h"
#include "tests/faults/store_history.h"

namespace winnow::testing {
namespace {

constexpr size_t kRowsPerFetch = 512;

using Lines = std::vector<std::string>;

absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

std::string Text(const absl::Status& status) { return absl::StrCat(status.ToString()); }

// Of what a layer of a stripe holds.
struct Reading {
  const ExpectedContext& expected;
  const StoredRange range;
  int* const refused;
  EntryStore* const store;

  std::string Where() const {
    return absl::StrCat(expected.record.context_id, " stripe ", range.stripe, " layer ",
                        range.layer);
  }
  uint64_t first_position() const { return uint64_t{range.stripe} * kStripeEntries; }

  // A read's outcome: bytes that are wrong are worse than none.
  void Judge(const char* what, const absl::Status& status, const std::vector<std::byte>& bytes,
             const std::vector<std::byte>& right, Lines* wrong) const {
    if (!status.ok()) {
      if (refused != nullptr && absl::IsDataLoss(status)) {
        ++*refused;
        return;
      }
      wrong->push_back(absl::StrCat(Where(), ": ", what, ": ", Text(status)));
    } else if (bytes != right) {
      const auto differs = std::mismatch(bytes.begin(), bytes.end(), right.begin(), right.end());
      wrong->push_back(absl::StrCat(Where(), ": WRONG BYTES in ", what, " at byte ",
                                    differs.first - bytes.begin()));
    }
  }

  void Keys(const Profile& profile, Lines* wrong) const {
    if (!profile.has_index(range.layer)) return;
    std::vector<std::byte> keys(range.end * profile.key_bytes());
    const absl::Status status = store->ReadKeys(range, profile.key_bytes(), Soon(), keys.data());
    Judge("keys", status, keys,
          expected.content.Keys(profile, range.layer, first_position(), range.end), wrong);
  }

  void Rows(const Profile& profile, Lines* wrong) const {
    std::vector<std::byte> rows(range.end * profile.row_bytes());
    const std::vector<std::byte> right =
        expected.content.Rows(profile, range.layer, first_position(), range.end);
    const absl::Status status = store->ReadRows(range, profile.row_bytes(), Soon(), rows.data());
    Judge("rows", status, rows, right, wrong);
    FetchEach(profile.row_bytes(), right, wrong);
  }

  void FetchEach(size_t row_bytes, const std::vector<std::byte>& right, Lines* wrong) const {
    std::vector<RowRef> refs;
    uint32_t offset = 0;
    for (const StoredRun& run : range.runs) {
      for (; offset < std::min(run.end, range.end); ++offset) {
        refs.push_back(
            {run.extent.get(), range.layer, static_cast<uint32_t>(first_position()) + offset});
      }
    }
    for (size_t first = 0; first < refs.size(); first += kRowsPerFetch) {
      const size_t count = std::min(kRowsPerFetch, refs.size() - first);
      const auto fetched =
          store->FetchRows(std::span(refs).subspan(first, count), row_bytes, Soon());
      std::vector<std::byte> rows;
      for (size_t i = 0; fetched.ok() && i < fetched->rows().size(); ++i) {
        rows.insert(rows.end(), fetched->rows()[i], fetched->rows()[i] + row_bytes);
      }
      const auto begin = right.begin() + static_cast<int64_t>(first * row_bytes);
      Judge("fetched rows", fetched.status(), rows,
            {begin, begin + static_cast<int64_t>(count * row_bytes)}, wrong);
    }
  }
};

std::string RecordDifference(ContextRecord expected, const ContextRecord& found) {
  expected.number = found.number;
  if (expected == found) return "";
  return absl::StrCat(
      "the record differs: sealed ", found.sealed, " for ", expected.sealed, ", pinned until ",
      absl::FormatTime(found.pinned_until), " for ", absl::FormatTime(expected.pinned_until),
      ", durability ", static_cast<int>(found.durability), " for ",
      static_cast<int>(expected.durability), ", expires ", absl::FormatTime(found.expires_at),
      " for ", absl::FormatTime(expected.expires_at));
}

std::map<uint32_t, std::vector<uint32_t>> EndsOf(const StoredContext& found) {
  std::map<uint32_t, std::vector<uint32_t>> ends;
  for (const StoredStripe& stripe : found.stripes) {
    for (const std::vector<StoredRun>& runs : stripe.layers) {
      ends[stripe.stripe].push_back(runs.empty() ? 0 : runs.back().end);
    }
  }
  return ends;
}

// "0: 12 12 0 12; 1: ...".
std::string EndsText(const std::map<uint32_t, std::vector<uint32_t>>& ends) {
  std::string text;
  for (const auto& [stripe, layers] : ends) {
    absl::StrAppend(&text, stripe, ":");
    for (const uint32_t end : layers) absl::StrAppend(&text, " ", end);
    text += "; ";
  }
  return text;
}

// Stripes without entries may be listed or not.
std::map<uint32_t, std::vector<uint32_t>> WithoutEmpty(
    std::map<uint32_t, std::vector<uint32_t>> ends) {
  std::erase_if(ends, [](const auto& stripe) {
    return std::all_of(stripe.second.begin(), stripe.second.end(),
                       [](uint32_t end) { return end == 0; });
  });
  return ends;
}

// What can be told without reading entries.
std::string OutlineDifference(const ExpectedContext& expected, const StoredContext& found) {
  const std::string record = RecordDifference(expected.record, found.record);
  if (!record.empty()) return record;
  const auto wanted = WithoutEmpty(expected.ends);
  const auto ends = WithoutEmpty(EndsOf(found));
  if (wanted == ends) return "";
  return absl::StrCat("holds ", EndsText(ends), "but should hold ", EndsText(wanted));
}

}  // namespace

Lines CompareStored(const ExpectedContext& expected, const StoredContext& found, int* refused,
                    EntryStore* store) {
  Lines wrong;
  const Profile& profile = expected.record.profile;
  for (const StoredStripe& stripe : found.stripes) {
    for (size_t i = 0; i < stripe.layers.size(); ++i) {
      const int layer = static_cast<int>(i);
      const std::vector<StoredRun>& runs = stripe.layers[i];
      if (runs.empty()) continue;
      const Reading reading{
          expected, {stripe.stripe, layer, 0, runs.back().end, runs}, refused, store};
      reading.Keys(profile, &wrong);
      reading.Rows(profile, &wrong);
    }
  }
  return wrong;
}

std::vector<const std::optional<ExpectedContext>*> StoreHistory::Acceptable(
    const std::string& context_id, size_t acknowledged, bool power_lost) const {
  static const std::optional<ExpectedContext> kNone;
  std::vector<const std::optional<ExpectedContext>*> states = {&kNone};
  absl::MutexLock lock(&mu_);
  bool kept = true;
  for (size_t i = 0; i < std::min(acknowledged + 1, changes_.size()); ++i) {
    const Change& change = changes_[i];
    if (change.context_id != context_id) continue;
    if (change.after) kept = !power_lost || change.after->record.durability == Durability::kSynced;
    // The last acknowledged state replaces those before it.
    if (i < acknowledged && kept) states.clear();
    states.push_back(&change.after);
  }
  return states;
}

Lines StoreHistory::Check(size_t acknowledged, bool power_lost, int* refused, const Recovery& found,
                          EntryStore* store) const {
  Lines wrong;
  std::map<std::string, const StoredContext*> by_id;
  std::set<uint64_t> numbers;
  for (const StoredContext& context : found.contexts) {
    const std::string& id = context.record.context_id;
    if (!numbers.insert(context.record.number).second || (by_id.count(id) != 0)) {
      wrong.push_back(absl::StrCat(id, " or its number is there twice"));
    }
    if (id.rfind(options_.name + "-", 0) == 0) by_id[id] = &context;
  }
  for (int i = 0; i < names_; ++i) {
    const std::string id = absl::StrCat(options_.name, "-", i);
    const auto here = by_id.find(id);
    std::string reasons;
    bool accepted = false;
    for (const auto* state : Acceptable(id, acknowledged, power_lost)) {
      std::string reason;
      if (here == by_id.end()) {
        reason = state->has_value() ? "is LOST" : "";
      } else if (!state->has_value()) {
        reason = "is there, but was removed or never made";
      } else {
        reason = OutlineDifference(**state, *here->second);
      }
      accepted = reason.empty();
      if (accepted && state->has_value()) {
        const Lines lines = CompareStored(**state, *here->second, refused, store);
        wrong.insert(wrong.end(), lines.begin(), lines.end());
      }
      if (accepted) break;
      absl::StrAppend(&reasons, " or ", reason);
    }
    if (!accepted) wrong.push_back(absl::StrCat(id, reasons));
  }
  return wrong;
}

void StoreHistory::Resume(const Recovery& found) {
  held_.clear();
  for (const StoredContext& context : found.contexts) {
    const std::string& id = context.record.context_id;
    if (id.rfind(options_.name + "-", 0) != 0) continue;
    Held held;
    for (const StoredStripe& stripe : context.stripes) held.stripes[stripe.stripe] = stripe;
    absl::MutexLock lock(&mu_);
    for (const Change& change : changes_) {
      if (change.context_id != id || !change.after) continue;
      if (OutlineDifference(*change.after, context).empty()) held.expected = *change.after;
    }
    held.expected.record = context.record;
    held_.emplace(id, std::move(held));
  }
  // Whatever was under way has been judged; from now on what was found is what is expected.
  for (int i = 0; i < names_; ++i) {
    const std::string id = absl::StrCat(options_.name, "-", i);
    const auto here = held_.find(id);
    Begin(id, here == held_.end() ? std::nullopt : std::optional(here->second.expected));
  }
  Acknowledge();
}

}  // namespace winnow::testing
