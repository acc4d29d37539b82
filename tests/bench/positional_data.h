#ifndef WINNOW_TESTS_BENCH_POSITIONAL_DATA_H_
#define WINNOW_TESTS_BENCH_POSITIONAL_DATA_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "client/winnowctl/split_mix.h"
#include "storage/profile.h"

namespace winnow::bench {

// DeepSeek-V3.2's shapes with so many layers.
std::shared_ptr<const Profile> DeepSeekProfile(int layers);

// `bytes` e4m3 codes of magnitudes 0.125 to 1.875, of either sign; bytes must be a multiple of 8.
void FillE4m3(SplitMix& random, std::byte* codes, size_t bytes);
// `bytes` of bf16 values of magnitudes 2^-7 to 2; bytes must be a multiple of 8.
void FillBf16(SplitMix& random, std::byte* values, size_t bytes);

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
