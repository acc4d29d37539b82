#include "services/winnowd/conversation.h"

#include <utility>

namespace winnow {
namespace {

// What one coordinator may have under way here; it holds back the rest by itself. A request is read
// where less is held, so that one of any size is.
constexpr size_t kMaxUnanswered = 256;
constexpr size_t kMaxHeldBytes = size_t{128} << 20;

}  // namespace

Conversation::Conversation(Stream* stream, Streams::Stream* registered)
    : stream_(*stream), registered_(*registered), writer_([this] { Write(); }) {}

Conversation::~Conversation() {
  {
    absl::MutexLock lock(&mu_, absl::Condition(this, &Conversation::NoneUnanswered));
    ending_ = true;
  }
  writer_.join();
}

bool Conversation::HasRoom() const {
  return unanswered_ < kMaxUnanswered && held_bytes_ < kMaxHeldBytes;
}

bool Conversation::Read(v1::ShardRequest* request) {
  { absl::MutexLock lock(&mu_, absl::Condition(this, &Conversation::HasRoom)); }
  if (!stream_.Read(request)) return false;
  absl::MutexLock lock(&mu_);
  ++unanswered_;
  held_bytes_ += request->ByteSizeLong();
  return true;
}

void Conversation::Reply(const v1::ShardRequest& request, v1::ShardReply reply) {
  Queue(request, std::move(reply), /*begun=*/true);
}

void Conversation::Refuse(const v1::ShardRequest& request, v1::ShardReply reply) {
  Queue(request, std::move(reply), /*begun=*/false);
}

void Conversation::Queue(const v1::ShardRequest& request, v1::ShardReply reply, bool begun) {
  const size_t request_bytes = request.ByteSizeLong();
  const size_t bytes = reply.ByteSizeLong();
  absl::MutexLock lock(&mu_);
  held_bytes_ += bytes - request_bytes;
  waiting_.push_back({.reply = std::move(reply), .bytes = bytes, .begun = begun});
}

void Conversation::Write() {
  while (true) {
    Waiting next;
    {
      absl::MutexLock lock(&mu_, absl::Condition(this, &Conversation::HasReplyOrEnds));
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    // False once the coordinator is gone: nobody is left to be told.
    static_cast<void>(stream_.Write(next.reply));
    if (next.begun) registered_.EndWork();
    absl::MutexLock lock(&mu_);
    held_bytes_ -= next.bytes;
    --unanswered_;
  }
}

}  // namespace winnow
