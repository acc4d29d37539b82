#ifndef WINNOW_TESTS_SUPPORT_LOCAL_CLUSTER_H_
#define WINNOW_TESTS_SUPPORT_LOCAL_CLUSTER_H_

#include <deque>
#include <memory>
#include <string>

#include "services/coordinator/coordinator.h"
#include "tests/support/fake_shard_channel.h"
#include "tests/support/sample.h"

namespace winnow::testing {

// A coordinator over shards in this process, any of which can be made to fail.
class LocalCluster {
 public:
  explicit LocalCluster(uint32_t shards, bool in_process = true,
                        const shard::ShardOptions& options = {});

  // Another one over the same shards and metadata.
  std::unique_ptr<coordinator::Coordinator> NewCoordinator();

  coordinator::Coordinator& coordinator() { return *coordinator_; }
  FakeShard& shard(uint32_t number) { return shards_[number]; }
  uint32_t shards() const { return static_cast<uint32_t>(shards_.size()); }
  const cluster::ClusterMap& map() const { return map_; }

  // Which shard holds a stripe of a context that is no fork.
  uint32_t ShardOf(const std::string& context_id, uint32_t stripe) const;
  FakeShard& HolderOf(const std::string& context_id, uint32_t stripe) {
    return shards_[ShardOf(context_id, stripe)];
  }

  // Registers the sample's profile and creates a context of it.
  void Create(const Sample& sample, const std::string& context_id = "a");
  // The same, and appends all of the sample.
  void Load(const Sample& sample, const std::string& context_id = "a");

  absl::StatusOr<coordinator::AppendReply> Append(const Sample& sample, uint32_t start,
                                                  uint32_t count,
                                                  const std::string& context_id = "a");
  // Entries that every layer holds; fails the test if the context cannot be described.
  uint64_t Entries(const std::string& context_id = "a");
  std::vector<uint64_t> LayerEntries(const std::string& context_id = "a");
  // Fails the test unless the context answers for the first `entries` of the sample.
  void ExpectAnswers(Sample& sample, uint32_t entries, const std::string& context_id = "a");
  // The same, and unless it holds all their bytes. Of one that is not sealed.
  void ExpectHolds(Sample& sample, uint32_t entries, const std::string& context_id = "a");

 private:
  kernels::WorkerPool pool_;
  const cluster::ClusterMap map_;
  const bool in_process_;
  const std::unique_ptr<cluster::MetadataStore> metadata_;
  std::deque<FakeShard> shards_;
  std::unique_ptr<coordinator::Coordinator> coordinator_;
};

// What a shard that does not hold the context says, and what is said of one that does not answer.
absl::Status NotHeld();
absl::Status Gone();

coordinator::ContextName Name(const std::string& context_id = "a");
coordinator::IndexQuery IndexQueryOf(const SampleQuery& query, uint32_t top_k = 0);
// By a new selection.
coordinator::AttendQuery AttendQueryOf(
    const SampleQuery& query, coordinator::AttendPath path = coordinator::AttendPath::kAuto);
// By an earlier one.
coordinator::AttendQuery AttendQueryOf(
    const SampleQuery& query, uint64_t selection_id, uint32_t layer,
    coordinator::AttendPath path = coordinator::AttendPath::kAuto);

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SUPPORT_LOCAL_CLUSTER_H_
