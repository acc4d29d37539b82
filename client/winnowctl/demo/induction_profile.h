#ifndef WINNOW_CLIENT_WINNOWCTL_DEMO_INDUCTION_PROFILE_H_
#define WINNOW_CLIENT_WINNOWCTL_DEMO_INDUCTION_PROFILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "client/winnowctl/demo/suffix_codes.h"
#include "storage/profile.h"
#include "winnow/types.h"

namespace winnow::ctl {

// An attention layer built by hand that does what induction heads do in trained models (Olsson et
// al. 2022, arXiv:2209.11895): it looks for earlier places that the text's end resembles and says
// what followed there.
//   index key    [4 orders, 32] fp8, +1 or -1: the codes of the n-grams that end at the entry
//   index query  [4 heads, 4 orders, 32] fp8: head j has the code of order j and else zeros, so a
//                score is sum_j w_j max(0, 32 - 2 differing bits), a small integer and exact
//   KV row       latent [256 bytes] one-hot of the byte that followed, [4 orders, 64] codes
//   query        the codes; the softmax is so sharp that entries that agree in more orders win
Profile InductionProfile();

// The score of an entry that agrees in all orders.
inline constexpr int kFullScore = 32 * (1 + 2 + 4 + 8);

// Entries in the form that Append takes.
class InductionEntries {
 public:
  void Clear();
  void Add(const SuffixCodes& codes, uint8_t next_byte);
  uint32_t count() const { return count_; }
  // Valid until the next change.
  std::vector<client::LayerEntries> Layers() const;

 private:
  uint32_t count_ = 0;
  std::vector<std::byte> keys_;
  std::vector<std::byte> rows_;
};

// Writes the index key alone: [132].
void EncodeIndexKey(const SuffixCodes& codes, std::byte* key);

// A query of one row in the form that Attend takes.
class InductionQuery {
 public:
  explicit InductionQuery(const SuffixCodes& codes);
  // Valid while this is.
  client::AttendRequest Request(uint64_t visible_entries) const;
  std::span<const std::byte> index_queries() const { return index_queries_; }
  std::span<const float> weights() const { return weights_; }

 private:
  std::vector<std::byte> index_queries_;
  std::vector<float> weights_;
  std::vector<std::byte> queries_;
};

// The byte with the most weight in an output: [query_heads * latent_dim].
uint8_t PredictedByte(std::span<const float> output);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DEMO_INDUCTION_PROFILE_H_
