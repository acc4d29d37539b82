#ifndef WINNOW_STORAGE_CONTEXT_ID_H_
#define WINNOW_STORAGE_CONTEXT_ID_H_

#include <string>

namespace winnow {

// 32 hexadecimal characters, for a context whose caller gives no id. Thread-safe.
std::string RandomContextId();

}  // namespace winnow

#endif  // WINNOW_STORAGE_CONTEXT_ID_H_
