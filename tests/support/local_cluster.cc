#include "tests/support/local_cluster.h"

#include <gtest/gtest.h>

#include "services/coordinator/plan.h"
#include "storage/error.h"

namespace winnow::testing {

using coordinator::Coordinator;

LocalCluster::LocalCluster(uint32_t shards, bool in_process, const shard::ShardOptions& options)
    : pool_(2),
      map_(cluster::ClusterMap::Static(shards, 1)),
      in_process_(in_process),
      metadata_(cluster::NewEmbeddedMetadata()) {
  for (uint32_t i = 0; i < shards; ++i) shards_.emplace_back(&pool_, options);
  coordinator_ = NewCoordinator();
}

std::unique_ptr<Coordinator> LocalCluster::NewCoordinator() {
  coordinator::CoordinatorParts parts{.map = map_,
                                      .metadata = metadata_.get(),
                                      .backend = kernels::ChooseBackend("reference"),
                                      .pool = &pool_};
  for (FakeShard& shard : shards_) {
    parts.shards.push_back(std::make_unique<FakeShardChannel>(&shard, in_process_));
  }
  return std::make_unique<Coordinator>(std::move(parts));
}

uint32_t LocalCluster::ShardOf(const std::string& context_id, uint32_t stripe) const {
  return coordinator::ShardOfStripe(map_, cluster::PlacementKey("t/" + context_id), stripe);
}

void LocalCluster::Create(const Sample& sample, const std::string& context_id) {
  const auto fingerprint = coordinator_->RegisterProfile(*sample.profile());
  ASSERT_TRUE(fingerprint.ok()) << fingerprint.status();
  const auto id = coordinator_->CreateContext(Name(context_id), *fingerprint, Unhurried());
  ASSERT_TRUE(id.ok()) << id.status();
}

void LocalCluster::Load(const Sample& sample, const std::string& context_id) {
  Create(sample, context_id);
  const auto appended = Append(sample, 0, sample.entries(), context_id);
  ASSERT_TRUE(appended.ok()) << appended.status();
}

absl::StatusOr<coordinator::AppendReply> LocalCluster::Append(const Sample& sample, uint32_t start,
                                                              uint32_t count,
                                                              const std::string& context_id) {
  return coordinator_->Append({.context = Name(context_id),
                               .start_position = start,
                               .count = count,
                               .layers = sample.Layers(start, count)},
                              Unhurried());
}

std::vector<uint64_t> LocalCluster::LayerEntries(const std::string& context_id) {
  const auto described = coordinator_->DescribeContext(Name(context_id), Unhurried());
  EXPECT_TRUE(described.ok()) << described.status();
  return described.ok() ? described->first.layer_entries : std::vector<uint64_t>();
}

uint64_t LocalCluster::Entries(const std::string& context_id) {
  const auto described = coordinator_->DescribeContext(Name(context_id), Unhurried());
  EXPECT_TRUE(described.ok()) << described.status();
  return described.ok() ? described->first.entries : ~uint64_t{0};
}

void LocalCluster::ExpectAnswers(Sample& sample, uint32_t entries, const std::string& context_id) {
  EXPECT_EQ(Entries(context_id), entries);
  const SampleQuery query = sample.Query({entries});
  const auto selected = coordinator_->Select(
      {.context = Name(context_id), .source = IndexQueryOf(query)}, Unhurried());
  ASSERT_TRUE(selected.ok()) << selected.status();
  EXPECT_EQ(selected->selection.rows, sample.Selected(query));
}

void LocalCluster::ExpectHolds(Sample& sample, uint32_t entries, const std::string& context_id) {
  ExpectAnswers(sample, entries, context_id);
  const auto repeated = Append(sample, 0, entries, context_id);
  ASSERT_TRUE(repeated.ok()) << repeated.status();
  EXPECT_EQ(repeated->entries_written, 0u);
}

absl::Status NotHeld() {
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT", "not held here");
}

absl::Status Gone() { return Error(absl::StatusCode::kUnavailable, "GONE", "the shard is gone"); }

coordinator::ContextName Name(const std::string& context_id) {
  return {.tenant = "t", .context_id = context_id};
}

coordinator::IndexQuery IndexQueryOf(const SampleQuery& query, uint32_t top_k) {
  return {.queries = query.index_queries,
          .weights = query.weight_bytes(),
          .visible_entries = {query.visible_entries.begin(), query.visible_entries.end()},
          .top_k = top_k};
}

coordinator::AttendQuery AttendQueryOf(const SampleQuery& query, coordinator::AttendPath path) {
  coordinator::AttendQuery attend;
  attend.context = Name();
  attend.source = IndexQueryOf(query);
  attend.queries = query.queries;
  attend.path = path;
  attend.return_selection = true;
  return attend;
}

coordinator::AttendQuery AttendQueryOf(const SampleQuery& query, uint64_t selection_id,
                                       uint32_t layer, coordinator::AttendPath path) {
  coordinator::AttendQuery attend = AttendQueryOf(query, path);
  attend.source = selection_id;
  attend.layer = layer;
  return attend;
}

}  // namespace winnow::testing
