#ifndef WINNOW_TESTS_CLIENT_FAKE_SERVICE_H_
#define WINNOW_TESTS_CLIENT_FAKE_SERVICE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/server.h"
#include "winnow/v1/contexts.grpc.pb.h"
#include "winnow/v1/retrieval.grpc.pb.h"

namespace winnow::ctl {

// A service for contexts of the demo's profile, written the plainest way, on a port of its own. It
// holds the context "text" from the start, and attends as a softmax so sharp does: to the best
// entry alone. It can be made to lie.
class FakeService {
 public:
  // May change answer number 0, 1, ... or turn it into an error.
  using Lie = std::function<void(int number, v1::DecodeReply* reply)>;
  explicit FakeService(Lie lie = nullptr);
  ~FakeService();

  const std::string& address() const { return address_; }
  std::vector<std::string> contexts();
  size_t entries(const std::string& context_id);
  int renewals();  // of leases

 private:
  struct Entry {
    std::string key;
    std::string row;
  };
  class Contexts;
  class Retrieval;

  grpc::Status Append(const v1::AppendEntriesRequest& request, v1::AppendEntriesReply* reply);
  void Attend(const v1::AttendRequest& request, v1::AttendReply* reply);

  const Lie lie_;
  absl::Mutex mu_;
  std::map<std::string, std::vector<Entry>> contexts_ ABSL_GUARDED_BY(mu_);
  int renewals_ ABSL_GUARDED_BY(mu_) = 0;
  int answers_ ABSL_GUARDED_BY(mu_) = 0;
  std::string address_;
  std::unique_ptr<Contexts> contexts_service_;
  std::unique_ptr<Retrieval> retrieval_service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace winnow::ctl

#endif  // WINNOW_TESTS_CLIENT_FAKE_SERVICE_H_
