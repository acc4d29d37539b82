#ifndef WINNOW_SERVICES_WINNOWD_SERVER_H_
#define WINNOW_SERVICES_WINNOWD_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/winnowd/options.h"

namespace winnow {

// A winnowd node that serves. Not thread-safe.
class Server {
 public:
  // Builds the role's parts and serves. UNAVAILABLE if the address cannot be listened on (the
  // message says why), INVALID_ARGUMENT if the options do not fit this machine, and what
  // Shard::Open, KeepLayout and OpenEmbeddedMetadata say of the data directory.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options);

  // Drains with no time for running calls, if Drain() was not called.
  ~Server();

  // host:port, with the port that was bound.
  const std::string& address() const;
  int port() const;

  // Reports NOT_SERVING, refuses new calls, and gives running ones `timeout` to finish.
  void Drain(absl::Duration timeout);

 private:
  struct Parts;
  static absl::Status AddShards(const Options& options, uint32_t count, Parts* parts);
  static absl::Status AddShardService(const Options& options, Parts* parts);
  static absl::Status AddCoordinatorServices(const Options& options, Parts* parts);
  explicit Server(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_SERVER_H_
