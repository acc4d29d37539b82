#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "services/shard/compute.h"
#include "services/shard/shard.h"
#include "tests/support/held_context.h"
#include "tests/support/sample.h"

namespace winnow::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A device that others keep busy.
class BusyCompute final : public shard::Compute {
 public:
  std::string name() const override { return "busy"; }
  int threads() const override { return 1; }
  PageMirror* mirror() override { return nullptr; }
  absl::Status Score(const shard::ScoreWork&, kernels::ScoreTopKResult*) override { return Wait(); }
  absl::Status Attend(const shard::AttendWork&) override { return Wait(); }

 private:
  static absl::Status Wait() { return absl::DeadlineExceededError("it waited for the device"); }
};

// Most shards hold nothing of a short context, and answer queries over it.
TEST(IdleComputeTest, AShardThatHoldsNothingDoesNotWaitForItsDevice) {
  Sample sample(TinyProfile(), 40, kernels::TestSeed());
  BusyCompute compute;
  const std::unique_ptr<shard::Shard> shard =
      shard::Shard::Open(shard::ShardOptions{}, &compute).value();
  const auto ask = [&shard](const shard::Call& call) {
    return shard->Handle(OfHeldContext(*shard, call), Unhurried());
  };
  ASSERT_TRUE(
      ask(shard::CreateContext{.context_id = "t/a", .tenant = "t", .profile = sample.profile()})
          .ok());
  const SampleQuery query = sample.Query({40, 7});
  const absl::StatusOr<shard::Result> selected =
      ask(shard::Select{.context_id = "t/a",
                        .queries = query.index_queries,
                        .weights = query.weight_bytes(),
                        .visible_entries = query.visible_entries,
                        .top_k = 20,
                        .selection_id = 1});
  ASSERT_TRUE(selected.ok()) << selected.status();
  EXPECT_THAT(std::get<shard::SelectResult>(*selected).candidates,
              ElementsAre(IsEmpty(), IsEmpty()));
  const absl::StatusOr<shard::Result> attended =
      ask(shard::Attend{.selection_id = 1,
                        .context_id = "t/a",
                        .thresholds = {{.score = 1, .position = 3}, {.score = 2, .position = 4}},
                        .path = shard::AttendPath::kPushDown,
                        .queries = query.queries});
  ASSERT_TRUE(attended.ok()) << attended.status();
  const auto& result = std::get<shard::AttendResult>(*attended);
  const size_t heads = size_t{2} * sample.profile()->query_heads;
  EXPECT_THAT(result.outputs, SizeIs(heads * sample.profile()->latent_dim));
  EXPECT_THAT(result.outputs, Each(0.0f));
  EXPECT_THAT(result.lse, SizeIs(heads));
  EXPECT_THAT(result.lse, Each(-std::numeric_limits<float>::infinity()));
}

}  // namespace
}  // namespace winnow::testing
