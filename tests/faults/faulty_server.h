#ifndef WINNOW_TESTS_FAULTS_FAULTY_SERVER_H_
#define WINNOW_TESTS_FAULTS_FAULTY_SERVER_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/cluster/process.h"

namespace winnow::testing {

// winnowd_faulty, standalone, on a data directory. Killed when this goes.
class FaultyServer {
 public:
  FaultyServer(const std::string& data_dir, std::vector<std::string> flags,
               const std::map<std::string, std::string>& env = {});

  // Waits until it serves; false if it ended or a minute passed.
  bool Serves();
  // Valid once it serves.
  const std::string& address() const { return address_; }
  Process& process() { return process_; }
  pid_t pid() const;
  // SIGKILL, and waits for the end.
  void Kill();

 private:
  TempDir dir_;
  Process process_;
  std::string address_;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_FAULTS_FAULTY_SERVER_H_
