#ifndef WINNOW_SERVICES_WIRE_CHANNEL_H_
#define WINNOW_SERVICES_WIRE_CHANNEL_H_

#include <memory>
#include <string>

#include "grpcpp/channel.h"

namespace winnow::wire {

// Connects to one of our processes, in the background and again after a break. A connection whose
// peer has gone without a word is given up after 15 s.
//   idle_pings   also while no call is under way
std::shared_ptr<grpc::Channel> Connect(const std::string& address, bool idle_pings);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_CHANNEL_H_
