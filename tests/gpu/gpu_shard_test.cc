// A shard whose pages have copies on a GPU of the stand-in: exact answers from hot and warm pages.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "services/shard/gpu_compute.h"
#include "services/shard/shard.h"
#include "storage/error.h"
#include "tests/gpu/expect_selected.h"
#include "tests/gpu/fake_device.h"
#include "tests/support/held_context.h"
#include "tests/support/sample.h"

namespace winnow::shard {
namespace {

using kernels::cuda::FakeDevice;
using winnow::testing::CandidateRows;
using winnow::testing::ExpectError;
using winnow::testing::Sample;
using winnow::testing::SampleQuery;
using winnow::testing::TinyProfile;
using DeviceCall = FakeDevice::Call;

constexpr uint32_t kEntries = 700;
constexpr uint64_t kKey = 77;

constexpr GpuOptions kRoomy = {.page_bytes = size_t{64} << 20,
                               .concurrent_queries = 2,
                               .workspace_bytes = size_t{4} << 20,
                               .pinned_bytes = size_t{2} << 20,
                               .staging_bytes = size_t{256} << 10};

class GpuShardTest : public ::testing::Test {
 protected:
  void Start(const GpuOptions& options = kRoomy, const ShardOptions& shard_options = {}) {
    auto device = std::make_unique<FakeDevice>(kernels::TestSeed());
    device_ = device.get();
    device_->DelayWork(true);
    auto gpu = GpuCompute::Create(std::move(device), "cuda:0 stand-in", options, /*cpu=*/nullptr);
    ASSERT_TRUE(gpu.ok()) << gpu.status();
    gpu_ = *std::move(gpu);
    shard_ = Shard::Open(shard_options, gpu_.get()).value();
    Create("t/a");
  }

  void Create(const std::string& context) {
    ASSERT_TRUE(Ask(CreateContext{.context_id = context,
                                  .tenant = "t",
                                  .profile = sample_.profile(),
                                  .placement_key = kKey})
                    .ok());
  }

  absl::StatusOr<Result> Ask(const Call& call) {
    return shard_->Handle(winnow::testing::OfHeldContext(*shard_, call), absl::InfiniteFuture());
  }

  void Append(uint32_t start, uint32_t count, const std::string& context = "t/a",
              uint32_t stripe = 0) {
    const auto result = Ask(shard::Append{.context_id = context,
                                          .stripe = stripe,
                                          .offset = start,
                                          .count = count,
                                          .layers = sample_.Layers(start, count)});
    ASSERT_TRUE(result.ok()) << result.status();
  }

  absl::StatusOr<Result> Select(const SampleQuery& query, uint64_t id,
                                const std::string& context = "t/a") {
    return Ask(shard::Select{
        .context_id = context,
        .layer = 0,
        .queries = query.index_queries,
        .weights = std::as_bytes(std::span(query.weights)),
        .visible_entries = {query.visible_entries.begin(), query.visible_entries.end()},
        .top_k = static_cast<uint32_t>(sample_.profile()->top_k),
        .stripes = {0},
        .selection_id = id});
  }

  // That the shard selects what the reference does, but for scores that fp32 cannot tell apart, and
  // attends over it within the bound.
  void ExpectAnswers(const SampleQuery& query, uint64_t id, const std::string& context = "t/a") {
    const absl::StatusOr<Result> selected = Select(query, id, context);
    ASSERT_TRUE(selected.ok()) << selected.status();
    const CandidateRows& rows = std::get<SelectResult>(*selected).candidates;
    ExpectSelected(sample_, query, rows);
    if (HasFailure()) return;
    std::vector<kernels::Candidate> thresholds;
    for (const auto& row : rows) thresholds.push_back(row.back());
    const absl::StatusOr<Result> attended = Ask(shard::Attend{.selection_id = id,
                                                              .context_id = context,
                                                              .layer = 0,
                                                              .thresholds = thresholds,
                                                              .path = AttendPath::kPushDown,
                                                              .queries = query.queries});
    ASSERT_TRUE(attended.ok()) << attended.status();
    const auto expected = sample_.Attended(query, rows);
    winnow::testing::ExpectClose(std::get<AttendResult>(*attended).outputs, expected.outputs,
                                 2e-3f);
    winnow::testing::ExpectClose(std::get<AttendResult>(*attended).lse, expected.lse, 2e-3f);
    warm_ =
        std::get<SelectResult>(*selected).warm_pages + std::get<AttendResult>(*attended).warm_rows;
  }

  // Queries the context, exactly answered each time, until all it reads has copies.
  void QueryUntilHot(const std::string& context) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    do {
      ExpectAnswers(sample_.Query({kEntries}), ++last_id_, context);
      ASSERT_LT(absl::Now(), deadline) << context << " reads " << warm_ << " without a copy";
    } while (warm_ != 0 && !HasFailure());
  }

  Sample sample_{TinyProfile(), kEntries, kernels::TestSeed()};
  uint64_t last_id_ = 1000;
  uint64_t warm_ = 0;             // pages and rows without a copy that the last query met
  FakeDevice* device_ = nullptr;  // of gpu_
  std::unique_ptr<GpuCompute> gpu_;
  std::unique_ptr<Shard> shard_;
};

TEST_F(GpuShardTest, AnswersFromCopiesOfItsPages) {
  Start();
  for (const auto& [start, count] : {std::pair{0u, 100u}, {100, 29}, {129, 500}, {629, 71}}) {
    Append(start, count);
    ExpectAnswers(sample_.Query({start + count, 1, start + 1}), start + 1);
  }
}

TEST_F(GpuShardTest, AQueryOfHotPagesSendsNoMoreForMoreOfThem) {
  Start();
  Append(0, kEntries);
  const auto sent_for = [&](uint32_t visible) {
    const size_t before = device_->sent_bytes();
    EXPECT_TRUE(Select(sample_.Query({visible}), ++last_id_).ok());
    return device_->sent_bytes() - before;
  };
  sent_for(1);  // with what was appended
  EXPECT_EQ(sent_for(kEntries), sent_for(1));
}

TEST_F(GpuShardTest, StreamsPagesThatTheDeviceHasNoRoomFor) {
  GpuOptions options = kRoomy;
  // A slab of 2 MiB holds the pages of one size only, so rows or keys have none; and four pages
  // of keys are staged at a time.
  options.page_bytes = size_t{2} << 20;
  options.staging_bytes =
      4 * kernels::KeyPageBytes(sample_.profile()->key_format, sample_.profile()->index_dim) + 4096;
  Start(options);
  Append(0, kEntries);
  ExpectAnswers(sample_.Query({kEntries, 65, kEntries - 1}), 1);
}

TEST_F(GpuShardTest, AnIdleContextGivesItsCopiesUpForOneInUse) {
  GpuOptions options = kRoomy;
  options.page_bytes = size_t{4} << 20;  // a slab for the keys and one for the rows
  Start(options, {.device_idle = absl::ZeroDuration()});
  // More pages of rows than a slab holds.
  for (uint32_t stripe = 0; stripe < 32; ++stripe) Append(0, kEntries, "t/a", stripe);
  ExpectAnswers(sample_.Query({kEntries}), ++last_id_);
  EXPECT_EQ(warm_, 0u);
  const auto full = std::get<PingResult>(*Ask(Ping{}));
  EXPECT_EQ(full.device_capacity_bytes, options.page_bytes);
  Create("t/b");
  Append(0, kEntries, "t/b");
  ExpectAnswers(sample_.Query({kEntries}), ++last_id_, "t/b");
  EXPECT_GT(warm_, 0u) << "the device is full";
  QueryUntilHot("t/b");
  EXPECT_LE(std::get<PingResult>(*Ask(Ping{})).device_bytes, full.device_capacity_bytes);
  ExpectAnswers(sample_.Query({kEntries}), ++last_id_, "t/a");
  EXPECT_GT(warm_, 0u) << "it was idle";
  QueryUntilHot("t/a");
}

TEST_F(GpuShardTest, SaysWhatAQueryRowNeedsThatCannotBeStaged) {
  GpuOptions options = kRoomy;
  options.page_bytes = size_t{2} << 20;
  options.staging_bytes = 2560;
  Start(options);
  Append(0, kEntries);
  const SampleQuery query = sample_.Query({kEntries});
  const absl::StatusOr<Result> selected = Select(query, 1);
  const absl::Status status =
      !selected.ok()
          ? selected.status()
          : Ask(shard::Attend{
                    .selection_id = 1,
                    .context_id = "t/a",
                    .layer = 0,
                    .thresholds = {std::get<SelectResult>(*selected).candidates[0].back()},
                    .path = AttendPath::kPushDown,
                    .queries = query.queries})
                .status();
  ExpectError(status, absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY");
}

TEST_F(GpuShardTest, SaysWhatAPageNeedsThatCannotBeStaged) {
  GpuOptions options = kRoomy;
  options.page_bytes = size_t{2} << 20;
  options.staging_bytes = 256;
  Start(options);
  const std::vector<std::byte> page(
      kernels::KeyPageBytes(sample_.profile()->key_format, sample_.profile()->index_dim));
  const ScoreRun warm{.entries = 1, .packed = page.data()};
  const SampleQuery query = sample_.Query({1});
  kernels::ScoreTopKResult result;
  const Profile& profile = *sample_.profile();
  ExpectError(gpu_->Score({.query = {.format = profile.key_format,
                                     .rows = 1,
                                     .heads = profile.index_heads,
                                     .dim = profile.index_dim,
                                     .queries = query.index_queries.data(),
                                     .weights = query.weights.data()},
                           .runs = {&warm, 1},
                           .visible_entries = query.visible_entries,
                           .k = 1},
                          &result),
              absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY");
}

TEST_F(GpuShardTest, QueriesAtOnceAreServedTogether) {
  GpuOptions options = kRoomy;
  options.concurrent_queries = 1;
  Start(options);
  Append(0, kEntries);
  std::vector<SampleQuery> queries;
  for (uint32_t i = 0; i < 8; ++i) queries.push_back(sample_.Query({kEntries - i, 1 + 50 * i}));
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < queries.size(); ++i) {
      threads.emplace_back([&, i] { ExpectAnswers(queries[i], i + 1); });
    }
  }
}

TEST_F(GpuShardTest, AFailedKernelIsAnErrorAndTheNextQueryAnswers) {
  Start();
  Append(0, kEntries);
  const SampleQuery query = sample_.Query({kEntries});
  device_->Fail(DeviceCall::kLaunch, 1);
  ExpectError(Select(query, 1).status(), absl::StatusCode::kInternal, "DEVICE_FAILED");
  ExpectAnswers(query, 2);
}

TEST_F(GpuShardTest, AfterAFailedCopyEveryQuerySaysSoAndAppendsAreStillHeld) {
  Start();
  Append(0, 100);
  device_->Fail(DeviceCall::kCopy, 1);
  Append(100, 100);
  ExpectError(Select(sample_.Query({200}), 1).status(), absl::StatusCode::kInternal,
              "DEVICE_FAILED");
  Append(200, 100);
  ExpectError(Select(sample_.Query({300}), 2).status(), absl::StatusCode::kInternal,
              "DEVICE_FAILED");
  const auto state = Ask(Describe{.context_id = "t/a"});
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(std::get<ContextState>(*state).layer_entries[0], 300u);
}

TEST_F(GpuShardTest, ADeviceThatIsTooSmallIsRefused) {
  auto device = std::make_unique<FakeDevice>(kernels::TestSeed());
  GpuOptions options = kRoomy;
  options.page_bytes = size_t{1} << 60;
  ExpectError(GpuCompute::Create(std::move(device), "cuda:0", options, /*cpu=*/nullptr).status(),
              absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY");
}

}  // namespace
}  // namespace winnow::shard
