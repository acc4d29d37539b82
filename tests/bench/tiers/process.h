#ifndef WINNOW_TESTS_BENCH_TIERS_PROCESS_H_
#define WINNOW_TESTS_BENCH_TIERS_PROCESS_H_

#include <cstdint>

namespace winnow::bench {

// Bytes of this process in memory: now, and at most since the start or ResetPeakMemory.
uint64_t ResidentBytes();
uint64_t PeakResidentBytes();
void ResetPeakMemory();

// Bytes that this process had the disk read and write, as the kernel counts them.
struct DiskTraffic {
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
};
DiskTraffic ReadDiskTraffic();

// Seconds that this machine's processors have worked, and how many of them for this process: what
// others took meanwhile explains times that were longer than they had to be.
struct ProcessorTime {
  double busy_seconds = 0;
  double own_seconds = 0;
};
ProcessorTime ReadProcessorTime();

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_TIERS_PROCESS_H_
