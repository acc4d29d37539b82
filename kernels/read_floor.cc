#include "kernels/read_floor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

namespace winnow::kernels {
namespace {

// Small enough to balance, large enough that claiming one costs nothing.
constexpr size_t kChunkBytes = size_t{512} << 10;

using Words = uint64_t __attribute__((vector_size(64)));

uint64_t XorOf(const std::byte* bytes, size_t count) {
  Words sums[4] = {};
  size_t at = 0;
  for (; at + sizeof sums <= count; at += sizeof sums) {
    for (int i = 0; i < 4; ++i) {
      Words words;
      std::memcpy(&words, bytes + at + i * sizeof words, sizeof words);
      sums[i] ^= words;
    }
  }
  const Words sum = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
  uint64_t result = 0;
  for (int i = 0; i < 8; ++i) result ^= sum[i];
  for (; at < count; ++at) result ^= static_cast<uint64_t>(bytes[at]);
  return result;
}

}  // namespace

double MeasureReadSeconds(std::span<const std::byte> bytes, WorkerPool& pool, int passes) {
  const int chunks = static_cast<int>((bytes.size() + kChunkBytes - 1) / kChunkBytes);
  std::atomic<uint64_t> sink = 0;  // keeps the reads from being optimised away
  std::vector<double> seconds;
  for (int pass = 0; pass < passes; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    pool.ParallelFor(chunks, [&](int chunk, int) {
      const size_t begin = chunk * kChunkBytes;
      sink ^= XorOf(bytes.data() + begin, std::min(kChunkBytes, bytes.size() - begin));
    });
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    seconds.push_back(taken.count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + passes / 2, seconds.end());
  return seconds[passes / 2];
}

}  // namespace winnow::kernels
