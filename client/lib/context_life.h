#ifndef WINNOW_CLIENT_LIB_CONTEXT_LIFE_H_
#define WINNOW_CLIENT_LIB_CONTEXT_LIFE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/lib/connection.h"

// How contexts begin and end.
namespace winnow::client {

// As Client::DeleteContext. A context that is not there any more when the call is repeated is what
// the call before it deleted.
absl::Status DeleteContext(const Connection& connection, const std::string& context_id);

// Deletes what may have been made for a caller who does not know its id. Waits for nobody: the
// caller's time may be over.
void DeleteUnnamed(const std::shared_ptr<Connection>& connection, const std::string& context_id);

}  // namespace winnow::client

#endif  // WINNOW_CLIENT_LIB_CONTEXT_LIFE_H_
