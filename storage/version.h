#ifndef WINNOW_STORAGE_VERSION_H_
#define WINNOW_STORAGE_VERSION_H_

namespace winnow {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace winnow

#endif  // WINNOW_STORAGE_VERSION_H_
