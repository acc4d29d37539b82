// A shard where the system has no more threads.
#include "services/shard/start_threads.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <thread>

#include "services/shard/cold_scan.h"
#include "tests/shard/disk_contexts.h"

namespace winnow::shard {
namespace {

// Makes the system refuse threads to this one from now on. False where it does not let itself be
// told.
bool RefuseThreads() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = std::size(filter), .filter = filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Runs fn on a thread that can start no others. False where the system does not let itself be told.
bool RunWithoutThreads(const std::function<void()>& fn) {
  bool refused = false;
  std::thread([&] {
    refused = RefuseThreads();
    if (refused) fn();
  }).join();
  return refused;
}

constexpr char kSkipped[] = "this system does not let a thread be refused others";

TEST(StartThreads, StartsAsManyAsAreAskedFor) {
  std::atomic<int> runs = 0;
  for (std::thread& thread : StartThreads(3, [&runs] { ++runs; })) thread.join();
  EXPECT_EQ(runs, 3);
  EXPECT_TRUE(StartThreads(0, [&runs] { ++runs; }).empty());
}

TEST(StartThreads, StartsNoneWhereTheSystemHasNone) {
  std::vector<std::thread> started;
  const bool refused = RunWithoutThreads([&] { started = StartThreads(3, [] {}); });
  if (!refused) GTEST_SKIP() << kSkipped;
  EXPECT_TRUE(started.empty());
}

using NoThreadsTest = DiskContextsTest;

TEST_F(NoThreadsTest, WhatIsColdIsReadByWhoScoresIt) {
  const Context& context = Add("t/a");
  const std::shared_ptr<const Stripe> stripe = context.FindStripe(0);
  std::vector<StoredRange> ranges;
  for (uint32_t first = 0; first < kEntries; first += 256) {
    ranges.push_back(stripe->Stored(0, first, first + 256));
  }
  uint32_t entries = 0;
  const bool refused = RunWithoutThreads([&] {
    ColdScan scan(context.profile(), store_.get(), ranges, absl::InfiniteFuture());
    while (true) {
      const auto chunks = scan.Next();
      ASSERT_TRUE(chunks.ok()) << chunks.status();
      if (chunks->empty()) return;
      for (const ColdScan::Chunk& chunk : *chunks) entries += chunk.run.entries;
    }
  });
  if (!refused) GTEST_SKIP() << kSkipped;
  EXPECT_EQ(entries, kEntries);
}

}  // namespace
}  // namespace winnow::shard
