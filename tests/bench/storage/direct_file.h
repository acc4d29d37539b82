#ifndef WINNOW_TESTS_BENCH_STORAGE_DIRECT_FILE_H_
#define WINNOW_TESTS_BENCH_STORAGE_DIRECT_FILE_H_

#include <cstdint>
#include <string>

namespace winnow::bench {

// A file that is read past the system's cache: the floor of whatever reads as many bytes.
class DirectFile {
 public:
  // Writes the file, whose size is rounded up to whole blocks.
  DirectFile(std::string path, uint64_t bytes);
  ~DirectFile();
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  // Seconds to read 4 KiB at each of `count` random places, by so many threads at once.
  double ReadRandom(int count, int threads) const;
  // Seconds to read so many bytes in order in blocks of 1 MiB, each thread a part of its own.
  double ReadInOrder(uint64_t bytes, int threads) const;

 private:
  const std::string path_;
  int fd_ = -1;
  uint64_t bytes_ = 0;
};

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_STORAGE_DIRECT_FILE_H_
