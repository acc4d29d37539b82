#ifndef WINNOW_TESTS_BENCH_POSITIONAL_DATA_H_
#define WINNOW_TESTS_BENCH_POSITIONAL_DATA_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "storage/profile.h"

namespace winnow::bench {

// DeepSeek-V3.2's shapes with so many layers.
std::shared_ptr<const Profile> DeepSeekProfile(int layers);

// SplitMix64 (Steele, Lea, Flood 2014): a stream for each seed, cheap to start anywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// `bytes` e4m3 codes of magnitudes 0.125 to 1.875, of either sign; bytes must be a multiple of 8.
void FillE4m3(Random& random, std::byte* codes, size_t bytes);
// `bytes` of bf16 values of magnitudes 2^-7 to 2; bytes must be a multiple of 8.
void FillBf16(Random& random, std::byte* values, size_t bytes);

// Entries that depend on nothing but their layer and position, so that what a shard holds need not
// be held again to be checked. fp8 keys and rows.
class PositionalData {
 public:
  explicit PositionalData(std::shared_ptr<const Profile> profile) : profile_(std::move(profile)) {}

  const Profile& profile() const { return *profile_; }
  const std::shared_ptr<const Profile>& shared_profile() const { return profile_; }

  // Entries [first, first + count).
  void Keys(int layer, uint32_t first, uint32_t count, std::byte* keys) const;
  void Rows(int layer, uint32_t first, uint32_t count, std::byte* rows) const;

 private:
  const std::shared_ptr<const Profile> profile_;
};

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_POSITIONAL_DATA_H_
