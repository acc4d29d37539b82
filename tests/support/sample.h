#ifndef WINNOW_TESTS_SUPPORT_SAMPLE_H_
#define WINNOW_TESTS_SUPPORT_SAMPLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "kernels/backend.h"
#include "storage/profile.h"
#include "storage/stripe.h"
#include "tests/kernels/random_data.h"

namespace winnow::testing {

using CandidateRows = std::vector<std::vector<kernels::Candidate>>;  // [T], each best first

// Two index heads of 32 dims and KV rows of 96 bytes, k = 20: several stripes of it are cheap.
Profile TinyProfile(std::vector<LayerKind> layers = {LayerKind::kOwn});

// A query of several rows with all that it borrows.
struct SampleQuery {
  std::vector<std::byte> index_queries;
  std::vector<float> weights;
  std::vector<uint32_t> visible_entries;
  std::vector<std::byte> queries;

  std::span<const std::byte> weight_bytes() const { return std::as_bytes(std::span(weights)); }
};

struct Attention {
  std::vector<float> outputs;  // [T, query_heads, latent_dim]
  std::vector<float> lse;      // [T, query_heads]
};

// Random entries of every layer of a profile, and what must be answered by whoever holds them.
class Sample {
 public:
  Sample(const Profile& profile, uint32_t entries, uint64_t seed);

  const std::shared_ptr<const Profile>& profile() const { return profile_; }
  uint32_t entries() const { return entries_; }

  LayerBytes Layer(int layer, uint32_t start, uint32_t count) const;
  // Of all stored layers.
  std::vector<LayerBytes> Layers(uint32_t start, uint32_t count) const;
  std::span<const std::byte> KvRow(int layer, uint32_t position) const;

  SampleQuery Query(std::vector<uint32_t> visible_entries);

  // By one scan over all entries.
  CandidateRows Selected(
      const SampleQuery& query, int layer = 0, uint32_t top_k = 0,
      const kernels::Backend* backend = kernels::ChooseBackend("reference")) const;
  // Over the rows at those positions of the layer, in their order.
  Attention Attended(const SampleQuery& query, const CandidateRows& selected, int layer = 0,
                     const kernels::Backend* backend = kernels::ChooseBackend("reference")) const;

 private:
  const std::shared_ptr<const Profile> profile_;
  const uint32_t entries_;
  kernels::RandomData random_;
  std::vector<std::vector<std::byte>> keys_;  // [layers]
  std::vector<std::vector<std::byte>> rows_;  // [layers]
};

// The absolute error of every value is at most `tolerance`; the rows are of about unit size.
void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected,
                 float tolerance = 1e-4f);

// Fails unless the status has that code and that reason.
void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& reason);

// Far enough not to be met.
inline absl::Time Unhurried() { return absl::Now() + absl::Seconds(60); }

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SUPPORT_SAMPLE_H_
