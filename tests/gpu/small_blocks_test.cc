// A shard on a GPU whose blocks have as little shared memory as those of 8.6, 8.9 and 12.0.
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "services/shard/gpu_compute.h"
#include "services/shard/shard.h"
#include "tests/gpu/expect_selected.h"
#include "tests/gpu/fake_device.h"
#include "tests/support/held_context.h"
#include "tests/support/sample.h"

namespace winnow::shard {
namespace {

using kernels::cuda::FakeDevice;
using winnow::testing::CandidateRows;
using winnow::testing::Sample;
using winnow::testing::SampleQuery;
using winnow::testing::TinyProfile;
using winnow::testing::Unhurried;

constexpr size_t kSharedBytesPerBlock = 101376;
constexpr uint32_t kEntries = 300;

class SmallBlocksTest : public ::testing::Test {
 protected:
  SmallBlocksTest() {
    auto device = std::make_unique<FakeDevice>(kernels::TestSeed());
    device_ = device.get();
    device_->LimitSharedMemory(kSharedBytesPerBlock);
    gpu_ = GpuCompute::Create(
               std::move(device), "cuda:0 stand-in",
               {.page_bytes = size_t{8} << 20,
                .concurrent_queries = 1,
                .workspace_bytes = size_t{4} << 20,
                .pinned_bytes = size_t{2} << 20,
                .staging_bytes = size_t{1} << 20},
               std::make_unique<CpuCompute>(kernels::ChooseBackend("reference"), &pool_))
               .value();
    shard_ = Shard::Open({}, gpu_.get()).value();
  }

  // Whether the GPU did it.
  struct OnGpu {
    bool select;
    bool attend;
    friend bool operator==(const OnGpu&, const OnGpu&) = default;
  };

  // Appends entries of that shape and queries them; fails unless the answers are right.
  OnGpu Answer(const Profile& profile) {
    Sample sample(profile, kEntries, kernels::TestSeed());
    const std::string id = "t/" + profile.name;
    Ask(CreateContext{
        .context_id = id, .tenant = "t", .profile = sample.profile(), .placement_key = 1});
    Ask(Append{.context_id = id, .count = kEntries, .layers = sample.Layers(0, kEntries)});
    const SampleQuery query = sample.Query({kEntries});
    const int before = launches();
    const CandidateRows found =
        std::get<SelectResult>(Ask(Select{.context_id = id,
                                          .queries = query.index_queries,
                                          .weights = query.weight_bytes(),
                                          .visible_entries = query.visible_entries,
                                          .top_k = static_cast<uint32_t>(profile.top_k),
                                          .stripes = {0},
                                          .selection_id = ++selection_}))
            .candidates;
    const int selected = launches();
    ExpectSelected(sample, query, found);
    const auto attended = std::get<AttendResult>(Ask(Attend{.selection_id = selection_,
                                                            .context_id = id,
                                                            .thresholds = {found[0].back()},
                                                            .path = AttendPath::kPushDown,
                                                            .queries = query.queries}));
    const auto expected = sample.Attended(query, found);
    winnow::testing::ExpectClose(attended.outputs, expected.outputs, 2e-3f);
    winnow::testing::ExpectClose(attended.lse, expected.lse, 2e-3f);
    return {.select = selected > before, .attend = launches() > selected};
  }

  int launches() const { return device_->calls(FakeDevice::Call::kLaunch); }

  Result Ask(const Call& call) {
    return shard_->Handle(winnow::testing::OfHeldContext(*shard_, call), Unhurried()).value();
  }

  kernels::WorkerPool pool_{1};
  FakeDevice* device_ = nullptr;  // of gpu_
  std::unique_ptr<GpuCompute> gpu_;
  std::unique_ptr<Shard> shard_;
  uint64_t selection_ = 0;
};

TEST_F(SmallBlocksTest, TheProcessorSelectsMoreThanABlockCanSort) {
  Profile profile = TinyProfile();
  EXPECT_EQ(Answer(profile), (OnGpu{.select = true, .attend = true}));
  profile.name = "most";
  profile.top_k = 8192;
  EXPECT_EQ(Answer(profile), (OnGpu{.select = true, .attend = true}));
  profile.name = "more";
  profile.top_k = 8193;
  EXPECT_EQ(Answer(profile), (OnGpu{.select = false, .attend = true}));
}

TEST_F(SmallBlocksTest, TheProcessorAttendsOverRowsThatAreTooWideForABlock) {
  Profile profile = TinyProfile();
  profile.latent_dim = 512;
  profile.rope_dim = 256;
  profile.softmax_scale = 0.05f;
  EXPECT_EQ(Answer(profile), (OnGpu{.select = true, .attend = false}));
}

}  // namespace
}  // namespace winnow::shard
