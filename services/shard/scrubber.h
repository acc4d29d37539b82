#ifndef WINNOW_SERVICES_SHARD_SCRUBBER_H_
#define WINNOW_SERVICES_SHARD_SCRUBBER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/shard/context.h"
#include "services/shard/spiller.h"

namespace winnow::shard {

// Reads all contexts over and over in the background, at a low rate, and compares what is in memory
// and on disk with its checksums. Thread-safe.
class Scrubber {
 public:
  // bytes_per_second: 0 to leave everything unread. Between two rounds it rests, as a shard may
  // have little or nothing in it.
  Scrubber(uint64_t bytes_per_second, ListContextsFn contexts, ReportDamageFn report,
           absl::Duration between_rounds = absl::Seconds(60));
  ~Scrubber();

  // A line for each of the stripe's pages and stored layers that does not match its checksums. What
  // cannot be read now may well be sound, and is left to another time.
  static std::vector<std::string> FindDamage(Stripe& stripe, absl::Time deadline);

 private:
  void Run();
  // False if it was stopped meanwhile.
  bool VerifyAll();
  // The context's first stripe at or after the number, which becomes the next one's. Returns its
  // bytes, or nothing if there is none left.
  std::optional<uint64_t> VerifyNext(const std::weak_ptr<Context>& held, uint32_t* stripe_number);
  // True if it was stopped meanwhile.
  bool Sleep(absl::Duration duration);

  const uint64_t bytes_per_second_;
  const absl::Duration between_rounds_;
  const ListContextsFn contexts_;
  const ReportDamageFn report_;

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_SCRUBBER_H_
