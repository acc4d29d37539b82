#ifndef WINNOW_SERVICES_WINNOWD_VERSION_H_
#define WINNOW_SERVICES_WINNOWD_VERSION_H_

namespace winnow {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_VERSION_H_
