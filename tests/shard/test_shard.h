#ifndef WINNOW_TESTS_SHARD_TEST_SHARD_H_
#define WINNOW_TESTS_SHARD_TEST_SHARD_H_

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "services/shard/compute.h"
#include "services/shard/shard.h"
#include "tests/support/held_context.h"
#include "tests/support/sample.h"

namespace winnow::testing {

// One shard that works with one variant, and entries for its contexts.
class TestShard {
 public:
  explicit TestShard(const Profile& profile = TinyProfile(), uint32_t entries = 300,
                     const shard::ShardOptions& options = {},
                     const kernels::Backend* backend = kernels::ChooseBackend("reference"))
      : sample(profile, entries, kernels::TestSeed()),
        pool_(2),
        compute_(backend, &pool_),
        options_(options),
        shard_(shard::Shard::Open(options, &compute_).value()) {}

  // The call's result, which must be a T. A call that says no incarnation is about the context that
  // is there.
  template <typename T = shard::Done>
  absl::StatusOr<T> Ask(const shard::Call& call, absl::Time deadline = absl::InfiniteFuture()) {
    absl::StatusOr<shard::Result> result = shard_->Handle(OfHeldContext(*shard_, call), deadline);
    if (!result.ok()) return result.status();
    return std::get<T>(*std::move(result));
  }

  absl::Status Create(const std::string& id = "t/a") {
    return Ask(shard::CreateContext{.context_id = id,
                                    .tenant = "t",
                                    .profile = sample.profile(),
                                    .placement_key = kKey})
        .status();
  }

  // Entries [start, start + count) of all layers, which lie in one stripe.
  shard::Append AppendCall(uint32_t start, uint32_t count, const std::string& id = "t/a") const {
    return {.context_id = id,
            .stripe = start / kStripeEntries,
            .offset = start % kStripeEntries,
            .count = count,
            .layers = sample.Layers(start, count)};
  }

  absl::StatusOr<uint64_t> Append(uint32_t start, uint32_t count, const std::string& id = "t/a") {
    absl::StatusOr<shard::AppendResult> result =
        Ask<shard::AppendResult>(AppendCall(start, count, id));
    if (!result.ok()) return result.status();
    return result->entries_written;
  }

  absl::StatusOr<shard::ContextState> Describe(const std::string& id = "t/a") {
    return Ask<shard::ContextState>(shard::Describe{.context_id = id});
  }

  // Entries of each layer of a context that is there.
  std::vector<uint64_t> LayerEntries(const std::string& id = "t/a") {
    return Describe(id).value().layer_entries;
  }

  // Of all stripes of the sample.
  shard::Select SelectCall(const SampleQuery& query, uint64_t selection_id = 1,
                           const std::string& id = "t/a") const {
    shard::Select call{.context_id = id,
                       .queries = query.index_queries,
                       .weights = query.weight_bytes(),
                       .visible_entries = query.visible_entries,
                       .top_k = static_cast<uint32_t>(sample.profile()->top_k),
                       .selection_id = selection_id};
    for (uint32_t stripe = 0; stripe * kStripeEntries < sample.entries(); ++stripe) {
      call.stripes.push_back(stripe);
    }
    return call;
  }

  absl::StatusOr<CandidateRows> Select(const SampleQuery& query, uint64_t selection_id = 1,
                                       const std::string& id = "t/a") {
    absl::StatusOr<shard::SelectResult> result =
        Ask<shard::SelectResult>(SelectCall(query, selection_id, id));
    if (!result.ok()) return result.status();
    return result->candidates;
  }

  shard::Attend AttendCall(shard::AttendPath path, uint64_t selection_id = 1,
                           const std::string& id = "t/a") const {
    return {.selection_id = selection_id, .context_id = id, .path = path};
  }

  absl::StatusOr<shard::AttendResult> Attend(const shard::Attend& call) {
    return Ask<shard::AttendResult>(call);
  }

  // Ends the shard and opens it anew, as a process that is started again does.
  absl::Status Restart() {
    shard_ = nullptr;
    absl::StatusOr<std::unique_ptr<shard::Shard>> opened = shard::Shard::Open(options_, &compute_);
    if (!opened.ok()) return opened.status();
    shard_ = *std::move(opened);
    return absl::OkStatus();
  }
  const shard::RecoveryReport& recovery() const { return shard_->recovery(); }

  uint64_t incarnation(const std::string& id = "t/a") { return IncarnationOf(*shard_, id); }

  Sample sample;

 private:
  static constexpr uint64_t kKey = 77;

  kernels::WorkerPool pool_;
  shard::CpuCompute compute_;
  const shard::ShardOptions options_;
  std::unique_ptr<shard::Shard> shard_;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SHARD_TEST_SHARD_H_
