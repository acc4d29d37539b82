// What a GPU finds in stripes whose pages are hot, warm, cold, or some of each.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "services/shard/gpu_compute.h"
#include "storage/page_arena.h"
#include "tests/gpu/fake_device.h"
#include "tests/kernels/random_data.h"
#include "tests/kernels/score_case.h"
#include "tests/support/sample.h"

namespace winnow::shard {
namespace {

using kernels::kPageEntries;
using kernels::PagedKeys;
using kernels::ScoreCase;
using kernels::TestSeed;
using winnow::testing::ExpectError;

constexpr int kDim = 32;
constexpr auto kFormat = kernels::KeyFormat::kFp8E4M3;
const size_t kPageBytes = kernels::KeyPageBytes(kFormat, kDim);

// A device that has no room for lists.
class WithoutTables final : public PageMirror {
 public:
  explicit WithoutTables(PageMirror* mirror) : mirror_(*mirror) {}
  Copy Add(size_t page_bytes) override { return mirror_.Add(page_bytes); }
  Copy AddTable(size_t) override { return nullptr; }
  absl::Status Write(const Copy& copy, size_t offset, std::span<const std::byte> bytes) override {
    return mirror_.Write(copy, offset, bytes);
  }
  absl::Status Publish() override { return mirror_.Publish(); }
  Usage usage() const override { return mirror_.usage(); }

 private:
  PageMirror& mirror_;
};

class GpuRunsTest : public ::testing::Test {
 protected:
  void Start(uint32_t entries, size_t staging_bytes = size_t{1} << 20) {
    case_ = kernels::RandomScoreCase(random_, kFormat, kDim, 2, 2, static_cast<int>(entries), 50);
    case_.visible = {entries, entries / 2};
    Open(staging_bytes);
  }
  void Open(size_t staging_bytes, size_t workspace_bytes = size_t{4} << 20,
            size_t pinned_bytes = size_t{1} << 20) {
    auto device = std::make_unique<kernels::cuda::FakeDevice>(TestSeed());
    device_ = device.get();
    device_->DelayWork(true);
    auto gpu = GpuCompute::Create(std::move(device), "cuda:0 stand-in",
                                  {.page_bytes = size_t{4} << 20,
                                   .concurrent_queries = 1,
                                   .workspace_bytes = workspace_bytes,
                                   .pinned_bytes = pinned_bytes,
                                   .staging_bytes = staging_bytes},
                                  /*cpu=*/nullptr);
    ASSERT_TRUE(gpu.ok()) << gpu.status();
    gpu_ = *std::move(gpu);
  }

  // The case's entries from `first` on, at most a stripe, in a set of which copies are there.
  std::shared_ptr<PageSet> Hot(uint32_t first, uint32_t entries, PageMirror* mirror) {
    auto set = std::make_shared<PageSet>(profile_, Plane::kIndex, &arena_, mirror);
    Grow(set.get(), first, 0, entries);
    return set;
  }
  std::shared_ptr<PageSet> Hot(uint32_t first, uint32_t entries) {
    return Hot(first, entries, gpu_->mirror());
  }
  void Grow(PageSet* set, uint32_t first, uint32_t held, uint32_t entries) {
    ASSERT_TRUE(set->Reserve(entries).ok());
    const size_t key_bytes = kernels::KeyBytes(kFormat, kDim);
    set->Write(held, entries - held, case_.keys.data() + (first + held) * key_bytes);
    ASSERT_TRUE(gpu_->mirror()->Publish().ok());
  }
  // The first pages without copies, those from entry `warm` on with them.
  std::shared_ptr<PageSet> Mixed(uint32_t first, uint32_t warm, uint32_t entries) {
    std::shared_ptr<PageSet> set = Hot(first, warm)->WithoutCopies();
    Grow(set.get(), first, warm, entries);
    return set;
  }

  // As a shard takes it.
  ScoreRun RunOf(uint32_t first, uint32_t entries, std::shared_ptr<PageSet> set) {
    ScoreRun run = {.first_position = first, .entries = entries, .set = set.get()};
    run.table = set->table(run.pages());
    sets_.push_back(std::move(set));
    return run;
  }
  // As it comes from disk.
  static ScoreRun Packed(const PagedKeys& pages, uint32_t first, uint32_t entries) {
    return {.first_position = first,
            .entries = entries,
            .packed = pages.page(first / kPageEntries),
            .packed_stride = kPageBytes};
  }

  kernels::Selection Select(const std::vector<ScoreRun>& runs) {
    kernels::ScoreTopKResult result;
    const absl::Status status = gpu_->Score({.query = kernels::Params(case_, {}).query,
                                             .runs = runs,
                                             .visible_entries = case_.visible,
                                             .k = case_.k},
                                            &result);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(result.complete);
    return result.selected;
  }
  void ExpectExact(const std::vector<ScoreRun>& runs) {
    EXPECT_EQ(kernels::Disagreement(case_, Select(runs)), "");
  }
  size_t SentFor(const std::vector<ScoreRun>& runs) {
    Select(runs);  // with what was appended before
    const size_t before = device_->sent_bytes();
    Select(runs);
    return device_->sent_bytes() - before;
  }

  kernels::RandomData random_{TestSeed()};
  ScoreCase case_;
  const std::shared_ptr<const Profile> profile_ = std::make_shared<const Profile>(
      Profile{.key_format = kFormat, .index_dim = kDim, .layers = {LayerKind::kOwn}});
  PageArena arena_{0};
  kernels::cuda::FakeDevice* device_ = nullptr;  // of gpu_
  std::unique_ptr<GpuCompute> gpu_;
  std::vector<std::shared_ptr<PageSet>> sets_;
};

TEST_F(GpuRunsTest, FindsTheSameInPagesOfAllKinds) {
  constexpr uint32_t kEntries = 4 * kStripeEntries + 700;
  Start(kEntries);
  const PagedKeys cold(kFormat, kDim, case_.keys);
  // Staging for all warm pages, for more than a stripe, and for less.
  for (const size_t pages : {size_t{400}, size_t{70}, size_t{9}}) {
    sets_.clear();
    Open(pages * kPageBytes);
    const uint32_t s = kStripeEntries;
    ExpectExact({RunOf(0, s, Hot(0, s)), RunOf(s, s, Hot(s, s)->WithoutCopies()),
                 RunOf(2 * s, s, Mixed(2 * s, 300, s)), Packed(cold, 3 * s, s),
                 RunOf(4 * s, 700, Hot(4 * s, 700))});
    ExpectExact({Packed(cold, 0, s), RunOf(s, s, Hot(s, s)), RunOf(2 * s, s, Hot(2 * s, s)),
                 RunOf(3 * s, s, Mixed(3 * s, s - 64, s)),
                 RunOf(4 * s, 700, Mixed(4 * s, 129, 700))});
  }
}

TEST_F(GpuRunsTest, FindsTheSameWhereTheWorkspaceHasNoRoomForAllPages) {
  constexpr uint32_t kEntries = 3 * kStripeEntries + 700;
  Start(kEntries);
  const PagedKeys cold(kFormat, kDim, case_.keys);
  // For some stripes, and for less than one.
  for (const size_t pages : {size_t{150}, size_t{9}}) {
    sets_.clear();
    Open(400 * kPageBytes, kernels::cuda::ScoreWorkspaceBytesPerRow(pages) + (size_t{12} << 10));
    const uint32_t s = kStripeEntries;
    ExpectExact({RunOf(0, s, Hot(0, s)), RunOf(s, s, Hot(s, s)), RunOf(2 * s, s, Hot(2 * s, s)),
                 RunOf(3 * s, 700, Hot(3 * s, 700))});
    ExpectExact({RunOf(0, s, Hot(0, s)), RunOf(s, s, Mixed(s, 300, s)), Packed(cold, 2 * s, s),
                 RunOf(3 * s, 700, Hot(3 * s, 700))});
  }
}

TEST_F(GpuRunsTest, FindsTheSameWherePinnedMemoryHasNoRoomToListAllPages) {
  constexpr uint32_t kStripes = 7;
  Start(kStripes * kStripeEntries);
  Open(size_t{1} << 20, size_t{4} << 20, 5376);
  WithoutTables mirror(gpu_->mirror());
  std::vector<ScoreRun> runs;
  for (uint32_t i = 0; i < kStripes; ++i) {
    const uint32_t first = i * kStripeEntries;
    runs.push_back(RunOf(first, kStripeEntries, Hot(first, kStripeEntries, &mirror)));
  }
  ExpectExact(runs);
}

TEST_F(GpuRunsTest, SaysWhatAPageNeedsThatTheWorkspaceHasNoRoomFor) {
  Start(64);
  Open(size_t{1} << 20, kernels::cuda::ScoreWorkspaceBytesPerRow(0));
  const std::shared_ptr<PageSet> set = Hot(0, 64);
  const ScoreRun run = RunOf(0, 64, set);
  kernels::ScoreTopKResult result;
  ExpectError(gpu_->Score({.query = kernels::Params(case_, {}).query,
                           .runs = {&run, 1},
                           .visible_entries = case_.visible,
                           .k = case_.k},
                          &result),
              absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY");
}

TEST_F(GpuRunsTest, HotPagesCostNoBytesOfAQuery) {
  Start(2 * kStripeEntries);
  const uint32_t s = kStripeEntries;
  const std::shared_ptr<PageSet> first = Hot(0, s), second = Hot(s, s);
  case_.visible = {2 * s, 2 * s};
  const size_t least = SentFor({RunOf(0, 1, first)});
  EXPECT_EQ(SentFor({RunOf(0, s, first)}), least);
  EXPECT_EQ(SentFor({RunOf(0, s, first), RunOf(s, s, second)}), least) << "lists are rounded up";
  const size_t listed = SentFor({RunOf(0, s, first->WithoutCopies())});
  EXPECT_GE(listed, least + kStripePages * kPageBytes);
}

TEST_F(GpuRunsTest, WithoutRoomForAListAQueryListsHotPages) {
  Start(kStripeEntries);
  WithoutTables mirror(gpu_->mirror());
  const ScoreRun run = RunOf(0, kStripeEntries, Hot(0, kStripeEntries, &mirror));
  EXPECT_EQ(run.table, nullptr);
  EXPECT_EQ(run.warm_pages(), 0u);
  ExpectExact({run});
  const size_t sent = SentFor({run});
  const size_t least = SentFor({RunOf(0, kStripeEntries, Hot(0, kStripeEntries))});
  EXPECT_EQ(sent, least + kStripePages * sizeof(void*));
}

TEST_F(GpuRunsTest, ARunThatWasTakenBeforeAnAppendIsFoundAsItWas) {
  Start(kStripeEntries);
  const std::shared_ptr<PageSet> set = Hot(0, 100);
  case_.visible = {100, 64};
  const ScoreRun before = RunOf(0, 100, set);
  const kernels::Selection expected = Select({before});
  for (uint32_t held = 100; held < kStripeEntries; held += 999) {
    Grow(set.get(), 0, held, held + 999);
    EXPECT_EQ(Select({before}), expected) << held;
  }
  EXPECT_EQ(set->table(1), before.table);
  case_.visible = {kStripeEntries, 99};
  ExpectExact({RunOf(0, kStripeEntries, set)});
}

TEST_F(GpuRunsTest, ForksAndSetsThatRegainTheirCopiesAreFoundByTheirOwnLists) {
  Start(500);
  const std::shared_ptr<PageSet> set = Hot(0, 300);
  const std::shared_ptr<PageSet> fork = set->Fork(250).value();
  Grow(fork.get(), 0, 250, 500);
  const ScoreRun forked = RunOf(0, 500, fork);
  const std::shared_ptr<PageSet> regained = set->WithoutCopies()->WithCopies(300).value();
  ASSERT_TRUE(gpu_->mirror()->background().Publish().ok());
  Grow(regained.get(), 0, 300, 500);
  Grow(set.get(), 0, 300, 500);
  for (const ScoreRun& run : {forked, RunOf(0, 500, regained), RunOf(0, 500, set)}) {
    EXPECT_NE(run.table, nullptr);
    ExpectExact({run});
  }
  EXPECT_NE(fork->table(1), set->table(1));
  EXPECT_NE(regained->table(1), set->table(1));
}

}  // namespace
}  // namespace winnow::shard
