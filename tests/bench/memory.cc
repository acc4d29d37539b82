#include "tests/bench/memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace winnow::bench {
namespace {

// xorshift64*: random enough for operands, and as fast as memory.
uint64_t Next(uint64_t* state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545f4914f6cdd1d;
}

}  // namespace

RandomMemory::RandomMemory(size_t bytes) : size_((bytes + 63) / 64 * 64) {
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  madvise(memory, size_, MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(memory);
  uint64_t state = 0x9e3779b97f4a7c15;
  for (size_t at = 0; at < size_; at += sizeof(uint64_t)) {
    const uint64_t word = (Next(&state) & 0x8f8f8f8f8f8f8f8f) | 0x3030303030303030;
    std::memcpy(data_ + at, &word, sizeof word);
  }
}

RandomMemory::~RandomMemory() { munmap(data_, size_); }

}  // namespace winnow::bench
