#include "services/winnowd/numa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numaif.h>
#include <sched.h>

#include <thread>

namespace winnow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const NumaNodes kNone;
const NumaNodes kOne = {{0}, {0}};
const NumaNodes kTwo = {{0, 1}, {0, 1}};
// Memory without CPUs, as of an accelerator or an expander, and a node that is all taken.
const NumaNodes kMixed = {{0, 2, 8}, {0, 1, 2}};

NumaPlacement Placed(const std::string& wanted, const NumaNodes& nodes) {
  NumaPlacement placement;
  EXPECT_EQ(PlaceOnNuma(wanted, nodes, &placement), "");
  return placement;
}

std::string Refusal(const std::string& wanted, const NumaNodes& nodes) {
  NumaPlacement placement;
  return PlaceOnNuma(wanted, nodes, &placement);
}

TEST(Numa, AutoTakesMemoryOfAllNodesInTurn) {
  EXPECT_THAT(Placed("auto", kTwo).interleaved, ElementsAre(0, 1));
  EXPECT_THAT(Placed("auto", kMixed).interleaved, ElementsAre(0, 2, 8));
  EXPECT_EQ(Describe(Placed("auto", kTwo)), "interleaved over nodes 0, 1");
}

TEST(Numa, AutoLeavesOneNodeAsItIs) {
  for (const NumaNodes& nodes : {kNone, kOne}) {
    EXPECT_THAT(Placed("auto", nodes).interleaved, IsEmpty());
    EXPECT_EQ(Describe(Placed("auto", nodes)), "as the system places it");
  }
}

TEST(Numa, OffLeavesAllToTheSystem) {
  EXPECT_EQ(Describe(Placed("off", kTwo)), "as the system places it");
}

TEST(Numa, ANodeIsOneThatHasMemoryAndCpus) {
  EXPECT_EQ(Placed("1", kTwo).bound_to, 1);
  EXPECT_THAT(Placed("1", kTwo).interleaved, IsEmpty());
  EXPECT_EQ(Describe(Placed("2", kMixed)), "node 2");
  for (const char* node : {"1", "8", "3", "-1", "x", ""}) {
    EXPECT_EQ(Refusal(node, kMixed), "auto, off or a NUMA node: 0, 2");
  }
  EXPECT_THAT(Refusal("0", kNone), HasSubstr("no NUMA nodes"));
}

// The policy and the CPUs of a thread, which others do not share.
class NumaApplyTest : public testing::Test {
 protected:
  void SetUp() override {
    if (AllowedNumaNodes().with_memory.empty())
      GTEST_SKIP() << "this system knows of no NUMA nodes";
  }

  struct State {
    absl::Status status;
    int mode = -1;
    uint64_t nodes = 0;
    int cpus = 0;
  };
  static State After(const NumaPlacement& placement) {
    State state;
    std::thread([&] {
      state.status = Apply(placement);
      unsigned long nodes[16] = {};
      EXPECT_EQ(get_mempolicy(&state.mode, nodes, 8 * sizeof nodes, nullptr, 0), 0);
      state.nodes = nodes[0];
      state.cpus = AllowedCpus();
    }).join();
    return state;
  }
};

TEST_F(NumaApplyTest, BindsToANode) {
  const NumaNodes nodes = AllowedNumaNodes();
  const int node = nodes.with_memory.front();
  const State state = After({.bound_to = node});
  ASSERT_TRUE(state.status.ok()) << state.status;
  EXPECT_EQ(state.mode, MPOL_PREFERRED);
  EXPECT_EQ(state.nodes, uint64_t{1} << node);
  EXPECT_GE(state.cpus, 1);
  EXPECT_LE(state.cpus, AllowedCpus());
}

TEST_F(NumaApplyTest, Interleaves) {
  const std::vector<int> nodes = AllowedNumaNodes().with_memory;
  const State state = After({.interleaved = nodes});
  ASSERT_TRUE(state.status.ok()) << state.status;
  EXPECT_EQ(state.mode, MPOL_INTERLEAVE);
  EXPECT_EQ(state.cpus, AllowedCpus());
}

TEST_F(NumaApplyTest, LeavesThingsAsTheyAre) {
  const State state = After({});
  EXPECT_TRUE(state.status.ok()) << state.status;
  EXPECT_EQ(state.mode, MPOL_DEFAULT);
}

TEST_F(NumaApplyTest, SaysWhatTheSystemRefused) {
  const State state = After({.bound_to = 1000});
  EXPECT_EQ(state.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(state.status.message(), HasSubstr("node 1000"));
}

// A thread that may run on one CPU counts that, though the machine has more.
TEST(Numa, CountsTheCpusThatItMayRunOn) {
  int cpus = 0;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    cpus = AllowedCpus();
  }).join();
  EXPECT_EQ(cpus, 1);
}

}  // namespace
}  // namespace winnow
