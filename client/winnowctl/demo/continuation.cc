#include "client/winnowctl/demo/continuation.h"

#include <algorithm>
#include <future>
#include <limits>
#include <utility>

#include "absl/time/clock.h"
#include "client/winnowctl/demo/induction_profile.h"
#include "client/winnowctl/demo/reference_scan.h"
#include "client/winnowctl/progress.h"
#include "storage/stripe.h"

namespace winnow::ctl {
namespace {

// What ends with the byte before `end`; longer than any order is not needed.
SuffixCodes CodesBefore(std::string_view text, size_t end) {
  const size_t begin = end - std::min(end, kLongestOrder);
  return CodeSuffix(text.substr(begin, end - begin));
}

// What was chosen, without the padding of a selection of fewer entries than it has room for.
BruteForce::Selected Unpadded(const client::Selection& selection) {
  BruteForce::Selected selected{selection.positions, selection.scores};
  if (selected.positions.size() != selected.scores.size()) return selected;
  while (!selected.positions.empty() && selected.positions.back() == -1 &&
         selected.scores.back() == -std::numeric_limits<float>::infinity()) {
    selected.positions.pop_back();
    selected.scores.pop_back();
  }
  return selected;
}

}  // namespace

Continuation::Continuation(client::Context context, std::string_view text, Between between,
                           absl::Duration fork_ttl)
    : context_(std::move(context)),
      text_(text),
      between_(between ? std::move(between) : [] { return absl::OkStatus(); }),
      fork_ttl_(fork_ttl) {}

absl::Status Continuation::StreamText() {
  const size_t entries = text_.size() - 1;
  Progress progress("streaming the text", entries);
  InductionEntries batch;
  std::future<absl::StatusOr<client::AppendResult>> under_way;
  // The next stripe is coded while the one before is on its way.
  for (size_t start = 0; start < entries;) {
    batch.Clear();
    const size_t end = std::min<size_t>(entries, start + kStripeEntries);
    for (size_t p = start; p < end; ++p) {
      const SuffixCodes codes = CodesBefore(text_, p + 1);
      brute_force_.Add(codes);
      batch.Add(codes, static_cast<uint8_t>(text_[p + 1]));
    }
    if (under_way.valid()) {
      if (auto appended = under_way.get(); !appended.ok()) return appended.status();
    }
    if (absl::Status status = between_(); !status.ok()) return status;
    under_way = context_.AppendAsync(start, batch.count(), batch.Layers());
    start = end;
    progress.Update(end);
  }
  return under_way.get().status();
}

absl::StatusOr<Passage> Continuation::Continue(uint64_t start, size_t length,
                                               bool check_with_reference) {
  Passage passage{.start = start,
                  .prompt = std::string(text_.substr(start - kPromptBytes, kPromptBytes)),
                  .expected = std::string(text_.substr(start, length))};
  const size_t shared_entries = brute_force_.entries();
  absl::StatusOr<client::Context> fork = context_.Fork(shared_entries, /*fork_id=*/"", fork_ttl_);
  if (!fork.ok()) return fork.status();
  absl::Status run = RunSteps(TrialContext(*fork, fork_ttl_), check_with_reference, &passage);
  brute_force_.Truncate(shared_entries);
  run.Update(fork->Delete());
  if (!run.ok()) return run;
  return passage;
}

absl::Status Continuation::RunSteps(TrialContext fork, bool check_with_reference,
                                    Passage* passage) {
  // The fork's own text, after the end of the shared one.
  const std::string written =
      std::string(text_.substr(text_.size() - kLongestOrder)) + passage->prompt + passage->expected;
  size_t next = kLongestOrder + 1;  // byte of `written` that the next entry foretells
  InductionEntries entries;
  const auto add_entry = [&] {
    const SuffixCodes codes = CodesBefore(written, next);
    brute_force_.Add(codes);
    entries.Add(codes, static_cast<uint8_t>(written[next]));
    ++next;
  };
  const std::unique_ptr<client::DecodeSession> session = fork.context().StartDecode();
  const size_t prompt_end = kLongestOrder + passage->prompt.size();
  while (next < prompt_end) add_entry();
  for (size_t i = 0; i < passage->expected.size(); ++i) {
    if (absl::Status status = between_(); !status.ok()) return status;
    if (absl::Status status = fork.Keep(); !status.ok()) return status;
    client::DecodeStep step{.start_position = brute_force_.entries() - entries.count(),
                            .count = entries.count(),
                            .layers = entries.Layers()};
    const SuffixCodes codes = CodesBefore(written, next);
    const InductionQuery query(codes);
    step.attend = query.Request(brute_force_.entries());
    const absl::Time begin = absl::Now();
    absl::StatusOr<client::DecodeResult> result = session->Run(step);
    if (!result.ok()) return result.status();
    const client::AttendResult& attend = result->attend;
    findings_.calls.Add(absl::ToDoubleMicroseconds(absl::Now() - begin), attend.stats);
    Check(query, codes, check_with_reference && i == 0, attend.selection);
    Note(attend, passage);
    entries.Clear();
    add_entry();
  }
  return absl::OkStatus();
}

void Continuation::Check(const InductionQuery& query, const SuffixCodes& codes, bool with_reference,
                         const client::Selection& selection) {
  const BruteForce::Selected selected = Unpadded(selection);
  const size_t visible_entries = brute_force_.entries();
  ++findings_.selections;
  findings_.selections_equal +=
      selected == brute_force_.Select(codes, visible_entries, selection.top_k);
  if (!with_reference) return;
  ++findings_.reference_scans;
  findings_.reference_scans_equal +=
      selected ==
      ReferenceSelect(brute_force_, query, visible_entries, static_cast<int>(selection.top_k));
}

void Continuation::Note(const client::AttendResult& attend, Passage* passage) {
  const char wanted = passage->expected[passage->predicted.size()];
  const char predicted = static_cast<char>(PredictedByte(attend.outputs));
  const std::vector<float>& scores = attend.selection.scores;
  const auto full = std::count(scores.begin(), scores.end(), static_cast<float>(kFullScore));
  passage->predicted.push_back(predicted);
  passage->unique.push_back(full == 1);
  ++findings_.bytes;
  findings_.bytes_right += predicted == wanted;
  findings_.unique_bytes += full == 1;
  findings_.unique_bytes_right += full == 1 && predicted == wanted;
}

}  // namespace winnow::ctl
