#ifndef WINNOW_CLIENT_WINNOWCTL_SPLIT_MIX_H_
#define WINNOW_CLIENT_WINNOWCTL_SPLIT_MIX_H_

#include <cstdint>

namespace winnow {

// SplitMix64 (Steele, Lea, Flood 2014): a stream of random bits for each seed, cheap to start
// anywhere.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace winnow

#endif  // WINNOW_CLIENT_WINNOWCTL_SPLIT_MIX_H_
