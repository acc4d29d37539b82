#include "services/shard/deadline_watch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "absl/time/clock.h"
#include "tests/kernels/random_data.h"

namespace winnow::shard {
namespace {

using Guard = DeadlineWatch::Guard;

absl::Time In(int milliseconds) { return absl::Now() + absl::Milliseconds(milliseconds); }

// When the flag was seen, or InfiniteFuture after ten seconds.
absl::Time RaisedAt(const Guard& guard) {
  const absl::Time limit = absl::Now() + absl::Seconds(10);
  while (absl::Now() < limit) {
    if (guard.passed()->load()) return absl::Now();
    absl::SleepFor(absl::Milliseconds(1));
  }
  return absl::InfiniteFuture();
}

TEST(DeadlineWatch, RaisesAFlagWhenItsDeadlinePasses) {
  DeadlineWatch watch;
  const absl::Time deadline = In(30);
  const Guard guard(&watch, deadline);
  const absl::Time raised = RaisedAt(guard);
  EXPECT_GE(raised, deadline);
  EXPECT_LT(raised, absl::InfiniteFuture());
}

TEST(DeadlineWatch, ADeadlineThatHasPassedIsRaised) {
  DeadlineWatch watch;
  const Guard long_ago(&watch, absl::InfinitePast());
  EXPECT_TRUE(long_ago.passed()->load());
  const Guard just_now(&watch, absl::Now() - absl::Milliseconds(1));
  EXPECT_LT(RaisedAt(just_now), absl::InfiniteFuture());
}

TEST(DeadlineWatch, ASoonerDeadlineIsNotHeldUpByALaterOne) {
  DeadlineWatch watch;
  const Guard never(&watch, absl::InfiniteFuture());
  const Guard later(&watch, In(3600 * 1000));
  absl::SleepFor(absl::Milliseconds(5));
  const Guard sooner(&watch, In(5));
  EXPECT_LT(RaisedAt(sooner), absl::InfiniteFuture());
  EXPECT_FALSE(later.passed()->load());
  EXPECT_FALSE(never.passed()->load());
}

TEST(DeadlineWatch, ManyGuardsFromManyThreadsAreEachRaisedInTime) {
  DeadlineWatch watch;
  std::vector<std::thread> threads;
  std::atomic<int> early = 0;
  std::atomic<int> missed = 0;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      kernels::RandomData random(kernels::TestSeed() + thread);
      std::vector<std::unique_ptr<Guard>> guards;
      std::vector<absl::Time> deadlines;
      for (int i = 0; i < 100; ++i) {
        deadlines.push_back(In(random.Int(0, 60)));
        guards.push_back(std::make_unique<Guard>(&watch, deadlines.back()));
        // Some are not waited for.
        if (random.Int(0, 2) == 0) {
          guards.pop_back();
          deadlines.pop_back();
        }
        if (i % 10 == 0) absl::SleepFor(absl::Milliseconds(1));
      }
      for (size_t i = 0; i < guards.size(); ++i) {
        const absl::Time raised = RaisedAt(*guards[i]);
        early += raised < deadlines[i];
        missed += raised == absl::InfiniteFuture();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(early, 0);
  EXPECT_EQ(missed, 0);
}

TEST(DeadlineWatch, AGuardThatIsGoneIsNotWrittenTo) {
  DeadlineWatch watch;
  alignas(Guard) unsigned char memory[sizeof(Guard)];
  unsigned char untouched[sizeof(Guard)];
  const absl::Time deadline = In(20);
  auto* guard = new (memory) Guard(&watch, deadline);
  guard->~Guard();
  std::memset(memory, 0, sizeof memory);
  std::memset(untouched, 0, sizeof untouched);
  const Guard after(&watch, deadline + absl::Milliseconds(1));
  EXPECT_LT(RaisedAt(after), absl::InfiniteFuture());
  EXPECT_EQ(std::memcmp(memory, untouched, sizeof memory), 0);
}

TEST(DeadlineWatch, StopsAtOnceWhatItIsWaitingFor) {
  const absl::Time start = absl::Now();
  {
    DeadlineWatch watch;
    const Guard guard(&watch, In(3600 * 1000));
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

}  // namespace
}  // namespace winnow::shard
