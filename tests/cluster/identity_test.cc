// The same entries and queries must give the same answer however they are spread over shards.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>

#include "kernels/backend.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"

namespace winnow::testing {
namespace {

using client::AttendPath;

// Five stripes, the last page of them partly filled.
constexpr int kEntries = 4 * 4096 + 75;

class IdentityTest : public ::testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  static Service Start() {
    const auto [shards, processes] = GetParam();
    return processes ? Service::Processes(shards) : Service::Standalone(shards);
  }
};

TEST_P(IdentityTest, SelectionsAndAttentionAreThoseOfOneScan) {
  Service service = Start();
  client::Client client(service.address());
  for (const auto& [keys, rows] :
       {std::pair{kernels::KeyFormat::kFp8E4M3, kernels::RowFormat::kBf16},
        {kernels::KeyFormat::kInt8, kernels::RowFormat::kFp8FlashMla},
        {kernels::KeyFormat::kMxFp4, kernels::RowFormat::kBf16}}) {
    Trial trial(SmallProfile(keys, rows), kEntries, kernels::TestSeed());
    const client::Context context = trial.Load(client);
    for (const std::vector<uint64_t>& visible :
         {std::vector<uint64_t>{kEntries}, {kEntries, 1, 8191, 64}, {1}}) {
      const TrialQuery query = trial.Query(visible);
      const client::Selection expected = trial.Selected(query);
      auto selected = context.Select(0, query.Index());
      ASSERT_TRUE(selected.ok()) << selected.status();
      ExpectSame(selected->selection, expected);
      for (const AttendPath path :
           {AttendPath::kGather, AttendPath::kPushDown, AttendPath::kAuto}) {
        auto attended = context.Attend(query.Request(path));
        ASSERT_TRUE(attended.ok()) << attended.status();
        ExpectSame(attended->selection, expected);
        ExpectClose(attended->outputs, trial.Attention(query, /*reference=*/true), 2e-3f);
        if (path == AttendPath::kGather) {
          EXPECT_EQ(attended->outputs, trial.Attention(query, /*reference=*/false));
        }
      }
    }
    ASSERT_TRUE(context.Delete().ok());
  }
}

TEST_P(IdentityTest, ForksShareAndDiverge) {
  Service service = Start();
  client::Client client(service.address());
  Trial trial(SmallProfile(), kEntries, kernels::TestSeed());
  const client::Context context = trial.Load(client);
  constexpr int kShared = 2 * 4096 + 33;
  auto fork = context.Fork(kShared);
  ASSERT_TRUE(fork.ok()) << fork.status();
  // The parent's next entries are the fork's as well, one of them left out.
  const client::LayerEntries other = trial.Entries(kShared + 1, 100);
  ASSERT_TRUE(fork->Append(kShared, 100, {&other, 1}).ok());
  // Each holds its own, byte for byte.
  const client::LayerEntries own = trial.Entries(kShared, 100);
  for (const auto& [holder, held] : {std::pair(*fork, other), std::pair(context, own)}) {
    auto repeated = holder.Append(kShared, 100, {&held, 1});
    ASSERT_TRUE(repeated.ok()) << repeated.status();
    EXPECT_EQ(repeated->entries_written, 0u);
  }
  EXPECT_EQ(ErrorReason(fork->Append(kShared, 100, {&own, 1}).status()), "APPEND_CONFLICT");
  const TrialQuery query = trial.Query({kShared});
  auto from_fork = fork->Select(0, query.Index());
  ASSERT_TRUE(from_fork.ok()) << from_fork.status();
  ExpectSame(from_fork->selection, trial.Selected(query));
  const TrialQuery whole = trial.Query({kEntries});
  auto from_parent = context.Select(0, whole.Index());
  ASSERT_TRUE(from_parent.ok()) << from_parent.status();
  ExpectSame(from_parent->selection, trial.Selected(whole));
}

std::string Name(const ::testing::TestParamInfo<std::tuple<int, bool>>& info) {
  return std::to_string(std::get<0>(info.param)) +
         (std::get<1>(info.param) ? "Processes" : "InOneProcess");
}

INSTANTIATE_TEST_SUITE_P(Shards, IdentityTest,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4, 7), ::testing::Bool()),
                         Name);

}  // namespace
}  // namespace winnow::testing
