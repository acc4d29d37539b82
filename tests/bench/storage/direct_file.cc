#include "tests/bench/storage/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/worker_pool.h"
#include "tests/bench/memory.h"
#include "tests/bench/positional_data.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

constexpr size_t kPlaceBytes = 4096;
constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr int kPasses = 5;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Buffer = std::unique_ptr<void, Free>;

std::vector<Buffer> AlignedBuffers(int count, size_t bytes) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < count; ++i) buffers.emplace_back(std::aligned_alloc(kPlaceBytes, bytes));
  return buffers;
}

void Check(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::exit(1);
}

}  // namespace

DirectFile::DirectFile(std::string path, uint64_t bytes)
    : path_(std::move(path)), bytes_((bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes) {
  fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);
  Check(fd_ >= 0, path_.c_str());
  const RandomMemory block(2 * kBlockBytes);
  const auto* aligned = reinterpret_cast<const std::byte*>(
      (reinterpret_cast<uintptr_t>(block.bytes().data()) + kPlaceBytes - 1) & ~(kPlaceBytes - 1));
  for (uint64_t at = 0; at < bytes_; at += kBlockBytes) {
    Check(pwrite(fd_, aligned, kBlockBytes, static_cast<off_t>(at)) == kBlockBytes, "pwrite");
  }
  Check(fdatasync(fd_) == 0, "fdatasync");
}

DirectFile::~DirectFile() {
  close(fd_);
  unlink(path_.c_str());
}

double DirectFile::ReadRandom(int count, int threads) const {
  kernels::WorkerPool pool(threads);
  const std::vector<Buffer> buffers = AlignedBuffers(threads, kPlaceBytes);
  SplitMix random(static_cast<uint64_t>(count) * threads);
  std::vector<uint64_t> places(count);
  return MedianOf(kPasses, [&] {
    for (uint64_t& place : places) place = random.Next() % (bytes_ / kPlaceBytes) * kPlaceBytes;
    pool.ParallelFor(count, [&](int task, int worker) {
      const auto read =
          pread(fd_, buffers[worker].get(), kPlaceBytes, static_cast<off_t>(places[task]));
      Check(read == static_cast<ssize_t>(kPlaceBytes), "pread");
    });
  });
}

double DirectFile::ReadInOrder(uint64_t bytes, int threads) const {
  kernels::WorkerPool pool(threads);
  const std::vector<Buffer> buffers = AlignedBuffers(threads, kBlockBytes);
  const uint64_t part =
      (std::min(bytes, bytes_) / threads + kPlaceBytes - 1) / kPlaceBytes * kPlaceBytes;
  return MedianOf(kPasses, [&] {
    pool.ParallelFor(threads, [&](int task, int worker) {
      const uint64_t end = std::min(bytes_, (task + 1) * part);
      for (uint64_t at = task * part; at < end;) {
        const size_t size = std::min<uint64_t>(kBlockBytes, end - at);
        const auto read = pread(fd_, buffers[worker].get(), size, static_cast<off_t>(at));
        Check(read == static_cast<ssize_t>(size), "pread");
        at += size;
      }
    });
  });
}

}  // namespace winnow::bench
