#ifndef WINNOW_TESTS_SHARD_DISK_SHARD_H_
#define WINNOW_TESTS_SHARD_DISK_SHARD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "tests/shard/test_shard.h"
#include "tests/support/temp_dir.h"

namespace winnow::testing {

// A test with one shard that has a data directory.
class DiskShardTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kEntries = 2 * kStripeEntries + 75;

  explicit DiskShardTest(size_t budget_bytes = 0, uint32_t entries = kEntries)
      : shard_(TinyProfile({LayerKind::kOwn, LayerKind::kShared, LayerKind::kOwn}), entries,
               {.memory_budget_bytes = budget_bytes, .data_dir = dir_.path()}) {}

  void Create(const std::string& id = "t/a", Durability durability = Durability::kDefault) {
    ASSERT_TRUE(shard_
                    .Ask(shard::CreateContext{.context_id = id,
                                              .tenant = "t",
                                              .profile = shard_.sample.profile(),
                                              .placement_key = 77,
                                              .durability = durability})
                    .ok());
  }

  // Entries [start, end) of all layers, in calls of at most `step`.
  void Append(uint32_t start, uint32_t end, const std::string& id = "t/a",
              uint32_t step = kStripeEntries) {
    while (start < end) {
      const uint32_t left = kStripeEntries - start % kStripeEntries;
      const uint32_t count = std::min({step, left, end - start});
      const absl::StatusOr<uint64_t> written = shard_.Append(start, count, id);
      ASSERT_TRUE(written.ok()) << written.status();
      start += count;
    }
  }

  // That queries of the context's first `entries` are answered as by one scan over the sample, and
  // that the winners' rows are the sample's.
  void ExpectAnswers(uint32_t entries, const std::string& id = "t/a") {
    const SampleQuery query =
        shard_.sample.Query({entries, std::max(1u, entries / 2), std::min(20u, entries)});
    for (const int layer : {0, 2}) {
      shard::Select call = shard_.SelectCall(query, ++selection_, id);
      call.layer = static_cast<uint32_t>(layer);
      const auto selected = shard_.Ask<shard::SelectResult>(call);
      ASSERT_TRUE(selected.ok()) << selected.status();
      const CandidateRows expected = shard_.sample.Selected(query, layer);
      ASSERT_EQ(selected->candidates, expected);
      cold_index_bytes_ += selected->cold_index_bytes;
      ExpectRows(layer, expected, id);
    }
  }

  void ExpectRows(int layer, const CandidateRows& expected, const std::string& id) {
    shard::Attend call = shard_.AttendCall(shard::AttendPath::kGather, selection_, id);
    call.layer = static_cast<uint32_t>(layer);
    for (const auto& row : expected) call.thresholds.push_back(row.back());
    const auto gathered = shard_.Attend(call);
    ASSERT_TRUE(gathered.ok()) << gathered.status();
    const char* at = gathered->kv_rows.data();
    for (const auto& row : expected) {
      for (const kernels::Candidate& winner : row) {
        const auto from = shard_.sample.KvRow(layer, winner.position);
        ASSERT_EQ(std::memcmp(from.data(), at, from.size()), 0) << "position " << winner.position;
        at += from.size();
      }
    }
    cold_rows_ += gathered->cold_rows;
    cached_rows_ += gathered->cached_rows;
  }

  absl::StatusOr<shard::TierResult> Tier(shard::TierAction action, bool index = true,
                                         bool kv = true, const std::string& id = "t/a") {
    return shard_.Ask<shard::TierResult>(
        shard::Tier{.action = action, .context_id = id, .index = index, .kv = kv, .stripes = 1000});
  }

  shard::ContextState Describe(const std::string& id = "t/a") {
    return shard_.Describe(id).value();
  }

  const TempDir dir_;
  TestShard shard_;
  uint64_t selection_ = 0;
  uint64_t cold_index_bytes_ = 0;
  uint64_t cold_rows_ = 0;
  uint64_t cached_rows_ = 0;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SHARD_DISK_SHARD_H_
