#ifndef WINNOW_STORAGE_CONTEXT_ID_H_
#define WINNOW_STORAGE_CONTEXT_ID_H_

#include <string>
#include <string_view>

namespace winnow {

// 32 hexadecimal characters, for a context whose caller gives no id. Thread-safe.
std::string RandomContextId();

// Whether a tenant or a context can be called so: 1..64 characters of [A-Za-z0-9._-], not . or ..,
// which name directories of snapshots.
inline constexpr size_t kMaxNameLength = 64;
bool IsName(std::string_view text);

}  // namespace winnow

#endif  // WINNOW_STORAGE_CONTEXT_ID_H_
