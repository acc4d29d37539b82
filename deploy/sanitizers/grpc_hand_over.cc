// Part of every program of a ThreadSanitizer build that speaks gRPC.
//
// What a thread did before it began an operation is visible to the thread that takes the
// operation's completion from the queue: gRPC promises it, with atomics that ThreadSanitizer cannot
// see because the libraries are not instrumented. These functions stand in front of gRPC's own of
// the same names and say so. Callbacks need no more: grpc++ runs them on threads that take from
// such a queue.
#include <dlfcn.h>

#include "grpc/grpc.h"
#include "sanitizer/tsan_interface.h"

namespace {

// gRPC's own function.
template <typename Function>
Function* Original(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

void Begin(void* tag) {
  if (tag != nullptr) __tsan_release(tag);
}

grpc_event Completed(grpc_event event) {
  if (event.type == GRPC_OP_COMPLETE && event.tag != nullptr) __tsan_acquire(event.tag);
  return event;
}

}  // namespace

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  static const auto original = Original<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  Begin(tag);
  return original(call, ops, count, tag, reserved);
}

grpc_call_error grpc_server_request_call(grpc_server* server, grpc_call** call,
                                         grpc_call_details* details, grpc_metadata_array* metadata,
                                         grpc_completion_queue* bound_queue,
                                         grpc_completion_queue* queue, void* tag) {
  static const auto original =
      Original<decltype(grpc_server_request_call)>("grpc_server_request_call");
  Begin(tag);
  return original(server, call, details, metadata, bound_queue, queue, tag);
}

grpc_call_error grpc_server_request_registered_call(grpc_server* server, void* method,
                                                    grpc_call** call, gpr_timespec* deadline,
                                                    grpc_metadata_array* metadata,
                                                    grpc_byte_buffer** payload,
                                                    grpc_completion_queue* bound_queue,
                                                    grpc_completion_queue* queue, void* tag) {
  static const auto original = Original<decltype(grpc_server_request_registered_call)>(
      "grpc_server_request_registered_call");
  Begin(tag);
  return original(server, method, call, deadline, metadata, payload, bound_queue, queue, tag);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
  static const auto original =
      Original<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  return Completed(original(queue, deadline, reserved));
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
  static const auto original =
      Original<decltype(grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  return Completed(original(queue, tag, deadline, reserved));
}

}  // extern "C"
