#ifndef WINNOW_CLIENT_WINNOWCTL_STATS_H_
#define WINNOW_CLIENT_WINNOWCTL_STATS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "winnow/types.h"

namespace winnow::ctl {

// The value below which `fraction` of them lie (nearest rank); 0 of none.
double Percentile(std::vector<double> values, double fraction);

// Many calls of one kind, as their caller saw them and as the service tells.
class CallLog {
 public:
  void Add(double call_us, const client::CallStats& stats);

  size_t calls() const { return call_us_.size(); }
  double p50_us() const { return Percentile(call_us_, 0.5); }
  double p99_us() const { return Percentile(call_us_, 0.99); }
  uint64_t bytes_moved() const { return bytes_moved_; }
  uint64_t entries_scanned() const { return entries_scanned_; }
  uint64_t cold_index_bytes() const { return cold_index_bytes_; }
  uint64_t cold_rows() const { return cold_rows_; }
  uint64_t cached_rows() const { return cached_rows_; }
  // Median of scoring and attention on the shards, added up over all that took part.
  double kernel_p50_us() const;

  // Median microseconds of each stage; `client_and_wire` is what the service did not see.
  nlohmann::ordered_json Stages() const;

 private:
  double Median(uint64_t client::CallStats::*stage) const;

  std::vector<double> call_us_;
  std::vector<client::CallStats> stats_;
  uint64_t bytes_moved_ = 0;
  uint64_t entries_scanned_ = 0;
  uint64_t cold_index_bytes_ = 0;
  uint64_t cold_rows_ = 0;
  uint64_t cached_rows_ = 0;
};

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_STATS_H_
