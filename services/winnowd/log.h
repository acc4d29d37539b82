#ifndef WINNOW_SERVICES_WINNOWD_LOG_H_
#define WINNOW_SERVICES_WINNOWD_LOG_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winnow {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

// Sets what Log() writes, and sends gRPC's own messages the same way. Call once, before threads.
void InitLogging(LogLevel level, LogFormat format);

// One line to stderr: the time, the level, what happened and with which values.
//   text  2026-01-31T12:00:00.123Z info serving address=127.0.0.1:7600
//   json  {"time":"2026-01-31T12:00:00.123Z","level":"info","event":"serving","address":"..."}
// Thread-safe.
void Log(LogLevel level, std::string_view event, const LogFields& fields = {});

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_LOG_H_
