#include "client/winnowctl/stats.h"

#include <algorithm>
#include <cmath>

namespace winnow::ctl {

double Percentile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(values.size())));
  const size_t index = std::clamp<size_t>(rank, 1, values.size()) - 1;
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(index), values.end());
  return values[index];
}

void CallLog::Add(double call_us, const client::CallStats& stats) {
  call_us_.push_back(call_us);
  stats_.push_back(stats);
  bytes_moved_ += stats.bytes_moved;
  entries_scanned_ += stats.entries_scanned;
  cold_index_bytes_ += stats.cold_index_bytes;
  cold_rows_ += stats.cold_rows;
  cached_rows_ += stats.cached_rows;
}

double CallLog::Median(uint64_t client::CallStats::*stage) const {
  std::vector<double> values;
  for (const client::CallStats& stats : stats_) {
    values.push_back(static_cast<double>(stats.*stage));
  }
  return Percentile(std::move(values), 0.5);
}

double CallLog::kernel_p50_us() const {
  std::vector<double> values;
  for (const client::CallStats& s : stats_) {
    const uint64_t attention = s.path == client::AttendPath::kGather ? s.attend_us : s.fetch_us;
    values.push_back(static_cast<double>(s.score_us_sum + attention));
  }
  return Percentile(std::move(values), 0.5);
}

nlohmann::ordered_json CallLog::Stages() const {
  const double total = Median(&client::CallStats::total_us);
  return {{"plan", Median(&client::CallStats::plan_us)},
          {"select", Median(&client::CallStats::select_us)},
          {"score_slowest_shard", Median(&client::CallStats::score_us)},
          {"score_all_shards", Median(&client::CallStats::score_us_sum)},
          {"merge", Median(&client::CallStats::merge_us)},
          {"fetch", Median(&client::CallStats::fetch_us)},
          {"shard_attend_slowest_shard", Median(&client::CallStats::shard_attend_us)},
          {"attend", Median(&client::CallStats::attend_us)},
          {"service_total", total},
          {"client_and_wire", std::max(0.0, p50_us() - total)}};
}

}  // namespace winnow::ctl
