#ifndef WINNOW_CLIENT_WINNOWCTL_SYNTHETIC_H_
#define WINNOW_CLIENT_WINNOWCTL_SYNTHETIC_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "client/winnowctl/trial_context.h"
#include "storage/profile.h"
#include "winnow/context.h"
#include "winnow/types.h"

namespace winnow::ctl {

// Random entries and queries of a profile, for trials and benchmarks. Finite; the same for the same
// seed and position.
class Synthetic {
 public:
  Synthetic(const Profile& profile, uint64_t seed);

  // Entries [start, start + count) of every stored layer; the spans are valid until the next call.
  const std::vector<client::LayerEntries>& Entries(uint64_t start, uint32_t count);

  // A query of `rows` query rows that sees `visible` entries; valid until the next call.
  client::AttendRequest Query(int layer, uint64_t visible, uint32_t rows, uint64_t number);

 private:
  const Profile profile_;
  const uint64_t seed_;
  std::vector<std::byte> keys_;
  std::vector<std::byte> rows_;
  std::vector<client::LayerEntries> layers_;
  std::vector<std::byte> index_queries_;
  std::vector<std::byte> queries_;
  std::vector<float> weights_;
};

// Appends synthetic entries [*at, to), showing a bar; *at is where they end, also after an error.
absl::Status FillContext(const client::Context& context, uint64_t* at, uint64_t to, uint64_t seed,
                         const Between& between = nullptr);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_SYNTHETIC_H_
