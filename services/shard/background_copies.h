#ifndef WINNOW_SERVICES_SHARD_BACKGROUND_COPIES_H_
#define WINNOW_SERVICES_SHARD_BACKGROUND_COPIES_H_

namespace winnow::shard {

// While there is one, no query and no append waits for the copies of pages that this thread makes
// on a device: a mirror may take its time with them, and must not make others wait for them.
class BackgroundCopies {
 public:
  BackgroundCopies() { making_ = true; }
  ~BackgroundCopies() { making_ = false; }
  BackgroundCopies(const BackgroundCopies&) = delete;
  BackgroundCopies& operator=(const BackgroundCopies&) = delete;

  static bool making() { return making_; }

 private:
  static inline thread_local bool making_ = false;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_BACKGROUND_COPIES_H_
