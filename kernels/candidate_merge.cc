#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/score_order.h"

namespace winnow::kernels {
namespace {

// A number that is larger for the better candidate, and above 0 for any.
uint64_t RankOf(const Candidate& candidate) {
  const uint32_t ordered = OrderedBits(candidate.score + 0.0f);  // -0 becomes 0
  return uint64_t{ordered} << 32 | static_cast<uint32_t>(~candidate.position);
}

// A tournament: leaf i is the best of what is left of list i, each node the better of its children,
// so taking the best costs one comparison per level and no branch depends on the data.
class Tournament {
 public:
  explicit Tournament(std::span<const std::span<const Candidate>> lists)
      : rest_(lists.begin(), lists.end()),
        leaves_(std::bit_ceil(lists.size())),
        rank_(leaves_, 0),
        winner_(2 * leaves_) {
    for (size_t i = 0; i < rest_.size(); ++i) rank_[i] = rest_[i].empty() ? 0 : RankOf(rest_[i][0]);
    for (size_t i = 0; i < leaves_; ++i) winner_[leaves_ + i] = static_cast<uint32_t>(i);
    for (size_t node = leaves_ - 1; node > 0; --node) Play(node);
  }

  bool empty() const { return rank_[winner_[1]] == 0; }

  Candidate Take() {
    const uint32_t list = winner_[1];
    std::span<const Candidate>& rest = rest_[list];
    const Candidate best = rest.front();
    rest = rest.subspan(1);
    rank_[list] = rest.empty() ? 0 : RankOf(rest.front());
    for (size_t node = (leaves_ + list) / 2; node > 0; node /= 2) Play(node);
    return best;
  }

 private:
  void Play(size_t node) {
    const uint32_t a = winner_[2 * node], b = winner_[2 * node + 1];
    winner_[node] = rank_[a] >= rank_[b] ? a : b;
  }

  std::vector<std::span<const Candidate>> rest_;
  const size_t leaves_;
  std::vector<uint64_t> rank_;    // [leaves] 0 where nothing is left
  std::vector<uint32_t> winner_;  // [2 * leaves] the list that won; the root is at 1
};

}  // namespace

void MergeCandidates(std::span<const std::span<const Candidate>> lists, size_t k,
                     std::vector<Candidate>* merged) {
  merged->clear();
  if (lists.empty()) return;
  if (lists.size() == 1) {
    const auto best = lists.front().first(std::min(k, lists.front().size()));
    merged->assign(best.begin(), best.end());
    return;
  }
  size_t total = 0;
  for (const std::span<const Candidate> list : lists) total += list.size();
  merged->reserve(std::min(k, total));
  Tournament tournament(lists);
  while (merged->size() < k && !tournament.empty()) merged->push_back(tournament.Take());
}

}  // namespace winnow::kernels
