#ifndef WINNOW_CLIENT_WINNOWCTL_DEMO_CONTINUATION_H_
#define WINNOW_CLIENT_WINNOWCTL_DEMO_CONTINUATION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/winnowctl/demo/brute_force.h"
#include "client/winnowctl/demo/induction_profile.h"
#include "client/winnowctl/stats.h"
#include "client/winnowctl/trial_context.h"
#include "winnow/context.h"

namespace winnow::ctl {

// Bytes before a passage's continuation that are given.
inline constexpr size_t kPromptBytes = 64;

// A place of the text that the service has continued.
struct Passage {
  uint64_t start = 0;        // of the continuation in the text
  std::string prompt;        // the text before it
  std::string expected;      // as the text goes on
  std::string predicted;     // as the service went on, with the right text before every byte
  std::vector<bool> unique;  // whether just one visible entry has the suffix of the longest order
};

// Counts over all passages.
struct Findings {
  uint64_t bytes = 0;
  uint64_t bytes_right = 0;
  uint64_t unique_bytes = 0;
  uint64_t unique_bytes_right = 0;
  uint64_t selections = 0;
  uint64_t selections_equal = 0;  // to brute force, position by position and score bit by bit
  uint64_t reference_scans = 0;
  uint64_t reference_scans_equal = 0;
  CallLog calls;
};

// Lets a service that holds a text in the induction profile continue passages of it.
class Continuation {
 public:
  // `text` is one byte longer than the context, as an entry holds the byte that follows; it must
  // outlive this. `between` may end the work between two calls. Forks are kept for as long as they
  // are used, and live for `fork_ttl` if this is killed.
  Continuation(client::Context context, std::string_view text, Between between = nullptr,
               absl::Duration fork_ttl = kTrialTtl);

  // Gives the service the text: entry p codes what ends at byte p.
  absl::Status StreamText();

  // Forks the context, appends the prompt and then predicts byte after byte, each step appending
  // the entry before it and attending in one Decode message.
  absl::StatusOr<Passage> Continue(uint64_t start, size_t length, bool check_with_reference);

  const Findings& findings() const { return findings_; }

 private:
  absl::Status RunSteps(TrialContext fork, bool check_with_reference, Passage* passage);
  void Check(const InductionQuery& query, const SuffixCodes& codes, bool with_reference,
             const client::Selection& selection);
  void Note(const client::AttendResult& attend, Passage* passage);

  const client::Context context_;
  const std::string_view text_;
  const Between between_;
  const absl::Duration fork_ttl_;
  BruteForce brute_force_;
  Findings findings_;
};

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DEMO_CONTINUATION_H_
