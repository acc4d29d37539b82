#ifndef WINNOW_SERVICES_WINNOWD_LISTEN_CHECK_H_
#define WINNOW_SERVICES_WINNOWD_LISTEN_CHECK_H_

#include <string>

#include "absl/status/status.h"

namespace winnow {

// Why host:port cannot be listened on, as UNAVAILABLE CANNOT_LISTEN with the system's reason; found
// by trying, since gRPC does not tell.
absl::Status WhyNotListening(const std::string& address);

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_LISTEN_CHECK_H_
