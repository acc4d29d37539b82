#ifndef WINNOW_TESTS_SUPPORT_HELD_CONTEXT_H_
#define WINNOW_TESTS_SUPPORT_HELD_CONTEXT_H_

#include <string>
#include <utility>
#include <variant>

#include "services/shard/shard.h"

namespace winnow::testing {

// 0 if the shard holds no such context.
inline uint64_t IncarnationOf(shard::Shard& shard, const std::string& context_id) {
  const absl::StatusOr<shard::Result> held =
      shard.Handle(shard::Describe{.context_id = context_id}, absl::InfiniteFuture());
  return held.ok() ? std::get<shard::ContextState>(*held).incarnation : 0;
}

// The call, about the context that the shard holds where it does not say about which one.
inline shard::Call OfHeldContext(shard::Shard& shard, shard::Call call) {
  const auto name = [&shard](auto& part_call) {
    if constexpr (requires { part_call.incarnation; }) {
      if (part_call.incarnation != 0) return;
      if constexpr (requires { part_call.parent_context_id; }) {
        part_call.incarnation = IncarnationOf(shard, part_call.parent_context_id);
      } else {
        part_call.incarnation = IncarnationOf(shard, part_call.context_id);
      }
    }
  };
  std::visit(name, call);
  return call;
}

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SUPPORT_HELD_CONTEXT_H_
