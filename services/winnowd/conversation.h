#ifndef WINNOW_SERVICES_WINNOWD_CONVERSATION_H_
#define WINNOW_SERVICES_WINNOWD_CONVERSATION_H_

#include <cstddef>
#include <deque>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/winnowd/streams.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow {

// One of a coordinator's streams as the calls on it share it. A thread of its own writes the
// replies, so that a coordinator which does not read them holds up its own calls and nobody else's.
// Thread-safe but for its end.
class Conversation {
 public:
  using Stream = grpc::ServerReaderWriter<v1::ShardReply, v1::ShardRequest>;

  // Both are borrowed.
  Conversation(Stream* stream, Streams::Stream* registered);
  // Waits until every request that was begun is answered and every reply is written, or can no
  // longer be.
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // Reads the next request once there is room for it and its reply. False at the stream's end.
  bool Read(v1::ShardRequest* request);

  // Before the work on a request, which Reply ends. False if the request should be refused.
  bool Begin() { return registered_.BeginWork(); }
  void Reply(const v1::ShardRequest& request, v1::ShardReply reply);
  // Of a request whose work was not begun.
  void Refuse(const v1::ShardRequest& request, v1::ShardReply reply);

 private:
  struct Waiting {
    v1::ShardReply reply;
    size_t bytes = 0;
    bool begun = false;
  };

  void Queue(const v1::ShardRequest& request, v1::ShardReply reply, bool begun);
  void Write();
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool NoneUnanswered() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return unanswered_ == 0; }
  bool HasReplyOrEnds() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return ending_ || !waiting_.empty();
  }

  Stream& stream_;
  Streams::Stream& registered_;
  absl::Mutex mu_;
  size_t unanswered_ ABSL_GUARDED_BY(mu_) = 0;  // read, and their replies not written
  size_t held_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // of their requests, and then of their replies
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread writer_;  // last, so that it starts when all else is there
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_CONVERSATION_H_
