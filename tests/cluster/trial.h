#ifndef WINNOW_TESTS_CLUSTER_TRIAL_H_
#define WINNOW_TESTS_CLUSTER_TRIAL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "storage/profile.h"
#include "tests/kernels/random_data.h"
#include "winnow/client.h"

namespace winnow::testing {

// One layer, 8 index heads, small enough for many trials.
Profile SmallProfile(kernels::KeyFormat key_format = kernels::KeyFormat::kFp8E4M3,
                     kernels::RowFormat row_format = kernels::RowFormat::kBf16);

// A query of several rows with all that it borrows.
struct TrialQuery {
  std::vector<std::byte> index_queries;
  std::vector<float> weights;
  std::vector<uint64_t> visible_entries;
  std::vector<std::byte> queries;

  client::IndexQuery Index() const;
  client::AttendRequest Request(client::AttendPath path = client::AttendPath::kAuto) const;
};

// Random entries of one layer, and what a service that holds them must answer.
class Trial {
 public:
  Trial(const Profile& profile, int entries, uint64_t seed);

  const Profile& profile() const { return profile_; }
  int entries() const { return entries_; }
  client::LayerEntries Entries(int start, int count) const;
  TrialQuery Query(std::vector<uint64_t> visible_entries);

  // Registers the profile, creates a context and appends all, `chunk` entries at a time.
  client::Context Load(client::Client& client, int chunk = 777) const;

  // [rows, top_k] as a Selection has them, by one scan over all entries with the variant that the
  // servers use.
  client::Selection Selected(const TrialQuery& query) const;
  // Attention over them, best first: by that variant, and in double by the reference.
  std::vector<float> Attention(const TrialQuery& query, bool reference) const;

 private:
  const Profile profile_;
  const int entries_;
  kernels::RandomData random_;
  std::vector<std::byte> keys_;
  std::vector<std::byte> rows_;
  kernels::PagedKeys pages_;
};

// Fails unless positions are equal and scores equal bit for bit.
void ExpectSame(const client::Selection& actual, const client::Selection& expected);

// |actual - expected| <= tolerance * the largest |expected|.
void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected,
                 float tolerance);

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_CLUSTER_TRIAL_H_
