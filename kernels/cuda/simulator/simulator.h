#ifndef WINNOW_KERNELS_CUDA_SIMULATOR_SIMULATOR_H_
#define WINNOW_KERNELS_CUDA_SIMULATOR_SIMULATOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "kernels/cuda/launch_shape.h"

// Runs a kernel's source on the CPU, each thread of a block as a fiber. What it finds:
//   * lanes or threads that do not meet in the same collective: the launch fails, saying who waits
//     where
//   * a barrier that is missing: threads advance in a random order
//   * a missing wait for an asynchronous copy, or a copy into what is still being read: copies are
//     done either at once or as late as their wait allows, as the seed has it
//   * the same of a group's products, of which each warp's rows are done for themselves
//   * products and bulk copies that come to what a warp wrote and did not publish
//   * reads of shared memory that nobody wrote: it starts as NaNs of every format
//   * accesses out of bounds, under AddressSanitizer: shared memory has exactly its size
namespace winnow::kernels::simulator {

struct Options {
  uint64_t seed = 1;
  int os_threads = 1;  // that run blocks at the same time, each several in turn
};

// Runs body() in every thread of the launch. Returns what went wrong, empty if nothing did.
std::string Simulate(const cuda::LaunchShape& shape, const Options& options,
                     const std::function<void()>& body);

// The rest is for simt_host.h.

// A place in a kernel's source.
struct Location {
  const char* file = "";
  int line = 0;
};

// Where the calling simulated thread is.
struct Place {
  int thread = 0;
  int block_x = 0;
  int block_y = 0;
  const cuda::LaunchShape* shape = nullptr;
  std::byte* shared = nullptr;
};
const Place& Here();

// Waits for the whole warp; the last lane runs run(operands of the 32 lanes) for all.
void MeetWarp(const char* what, const Location& where, void* operand,
              void (*run)(void* const* operands));

// Waits for the whole block.
void MeetBlock(const Location& where);

// Four warps.
inline constexpr int kGroupThreads = 128;

// Waits for the calling thread's group; the last thread runs run(operands of the 128) for all.
void MeetGroup(const char* what, const Location& where, void* operand,
               void (*run)(void* const* operands));

// Waits for the calling thread's group.
void MeetOwnGroup(const Location& where);

// Waits for the block's first threads, of which the caller is one.
void MeetFirst(int threads, const Location& where);

// What the threads of a warp of the group have come to have multiplied; given once for each warp,
// by the last thread of the group.
void GiveProduct(int warp, std::function<void()> product);
// By each thread of the group: it has given one.
void CountProduct();
void BeginProducts();
void CommitProducts();
void WaitForProducts(int batches_left);
// By each thread: after the next barrier products may read what it wrote to shared memory.
void PublishShared();
// Ends the launch if they would not see what is there.
void RequirePublished(const void* shared, size_t bytes);

// A barrier in shared memory whose phases end once `arrivals` threads have come and all bytes that
// they announced are there. Waiting is for the phase of that parity, the first being 0.
void CopyBarrierInit(const void* barrier, int arrivals);
void CopyBarrierArrive(const void* barrier, size_t bytes);
void CopyBulk(void* shared, const void* global, size_t bytes, const void* barrier);
void CopyBarrierWait(const void* barrier, uint32_t parity);
bool CopyBarrierWaitAWhile(const void* barrier, uint32_t parity);

void CopyAsync(void* shared, const void* global, size_t bytes);
void CopyAsyncCommit();
void CopyAsyncWait(int groups_left);

// Ends the launch with an error.
[[noreturn]] void Fail(std::string message);

}  // namespace winnow::kernels::simulator

#endif  // WINNOW_KERNELS_CUDA_SIMULATOR_SIMULATOR_H_
