#ifndef WINNOW_TESTS_CLUSTER_SCRIPTED_SERVICE_H_
#define WINNOW_TESTS_CLUSTER_SCRIPTED_SERVICE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grpcpp/server.h"

namespace winnow::testing {

// What a service says of one context.
struct ScriptedContext {
  absl::Status open;                 // of DescribeContext
  std::vector<std::string> corrupt;  // of the first range that is verified
  absl::Status after;                // of the second range, and of a snapshot
};

// A service on a port of its own that says of the contexts of one tenant what a test wants.
class ScriptedService {
 public:
  explicit ScriptedService(std::map<std::string, ScriptedContext> contexts);
  ~ScriptedService();

  const std::string& address() const { return address_; }

 private:
  class Contexts;
  class Admin;

  std::unique_ptr<Contexts> contexts_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_CLUSTER_SCRIPTED_SERVICE_H_
