#ifndef WINNOW_TESTS_KERNELS_RANDOM_DATA_H_
#define WINNOW_TESTS_KERNELS_RANDOM_DATA_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/layout.h"

namespace winnow::kernels {

// WINNOW_TEST_SEED, or a fresh seed; printed once so that a failure can be run again.
uint64_t TestSeed();

// Finite random keys, queries and rows in their formats.
class RandomData {
 public:
  explicit RandomData(uint64_t seed) : random_(seed) {}

  int Int(int min, int max) { return std::uniform_int_distribution<int>(min, max)(random_); }
  float Float(float min, float max) {
    return std::uniform_real_distribution<float>(min, max)(random_);
  }

  // [count, KeyBytes] entry-major; fp32 scales in (0, 2].
  std::vector<std::byte> Keys(KeyFormat format, int dim, int count);
  // [count, QueryBytes]
  std::vector<std::byte> Queries(KeyFormat format, int dim, int count);
  std::vector<float> Floats(int count, float min, float max);
  // [count] bf16 values of about unit size.
  std::vector<std::byte> Bf16(int count);
  // [count, RowBytes]
  std::vector<std::byte> Rows(RowFormat format, int latent_dim, int rope_dim, int count);

 private:
  std::byte FiniteCode(KeyFormat format, int index_in_key, int dim);

  std::mt19937_64 random_;
};

// Keys arranged in pages, aligned as the kernels want them. Entries that a page does not hold have
// NaN for codes and scales, where the format has one.
class PagedKeys {
 public:
  PagedKeys(KeyFormat format, int dim, const std::vector<std::byte>& keys);
  const std::byte* page(size_t i) const { return base_ + i * page_bytes_; }
  size_t pages() const { return pages_; }
  size_t entries() const { return entries_; }

 private:
  size_t page_bytes_;
  size_t entries_;
  size_t pages_;
  std::vector<std::byte> memory_;
  std::byte* base_;
};

void PutFloat(float value, std::byte* to);
void PutBf16(float value, std::byte* to);

}  // namespace winnow::kernels

#endif  // WINNOW_TESTS_KERNELS_RANDOM_DATA_H_
