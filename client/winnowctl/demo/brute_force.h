#ifndef WINNOW_CLIENT_WINNOWCTL_DEMO_BRUTE_FORCE_H_
#define WINNOW_CLIENT_WINNOWCTL_DEMO_BRUTE_FORCE_H_

#include <array>
#include <cstdint>
#include <vector>

#include "client/winnowctl/demo/suffix_codes.h"

namespace winnow::ctl {

// What the service has to select, found here by other means: the codes of every entry are kept as
// bits, differing bits are counted, and every score is looked at. No code is shared with the
// kernels.
class BruteForce {
 public:
  struct Selected {
    std::vector<int32_t> positions;  // best first, ties to the lower position
    std::vector<float> scores;
    friend bool operator==(const Selected&, const Selected&) = default;
  };

  // Codes of the next entry.
  void Add(const SuffixCodes& codes);
  // Forgets the entries from `entries` on.
  void Truncate(size_t entries);
  size_t entries() const { return index_[0].size(); }
  SuffixCodes IndexCodesAt(size_t position) const;

  // The best k of the first `visible_entries`.
  Selected Select(const SuffixCodes& query, size_t visible_entries, size_t k);

 private:
  std::array<std::vector<uint32_t>, kOrders.size()> index_;
  std::vector<uint16_t> scores_;
};

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DEMO_BRUTE_FORCE_H_
