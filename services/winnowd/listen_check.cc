#include "services/winnowd/listen_check.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow {
namespace {

std::string TryToBind(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return gai_strerror(error);
  }
  std::string reason = "the address cannot be used";
  const int fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0) reason = strerror(errno);
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  return reason;
}

}  // namespace

absl::Status WhyNotListening(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string reason = TryToBind(host, address.substr(colon + 1));
  return Error(
      absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
      absl::StrCat("cannot listen on ", address, ": ", reason, "; choose another --listen"),
      {{"address", address}});
}

}  // namespace winnow
