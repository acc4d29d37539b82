#ifndef WINNOW_TESTS_BENCH_MEMORY_H_
#define WINNOW_TESTS_BENCH_MEMORY_H_

#include <cstddef>
#include <span>

namespace winnow::bench {

// Memory as the shards' page arena has it: huge pages where the system gives them, 64-byte aligned.
// Filled with random bytes of the form s011xxxx, which are finite in every format: as e4m3 0.5 to
// 1.875 with either sign, as the high byte of an fp32 or bf16 at most 1.
class RandomMemory {
 public:
  explicit RandomMemory(size_t bytes);
  ~RandomMemory();
  RandomMemory(const RandomMemory&) = delete;
  RandomMemory& operator=(const RandomMemory&) = delete;

  std::byte* data() { return data_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* data_;
  size_t size_;
};

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_MEMORY_H_
