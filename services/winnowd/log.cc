#include "services/winnowd/log.h"

#include <grpc/support/log.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace winnow {
namespace {

std::atomic<LogFormat> log_format = LogFormat::kText;

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "trace";
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  return static_cast<spdlog::level::level_enum>(level);
}
static_assert(static_cast<int>(LogLevel::kTrace) == SPDLOG_LEVEL_TRACE);
static_assert(static_cast<int>(LogLevel::kError) == SPDLOG_LEVEL_ERROR);

void LogFromGrpc(gpr_log_func_args* args) {
  const LogLevel level = args->severity == GPR_LOG_SEVERITY_ERROR  ? LogLevel::kError
                         : args->severity == GPR_LOG_SEVERITY_INFO ? LogLevel::kInfo
                                                                   : LogLevel::kDebug;
  Log(level, "grpc", {{"message", args->message}});
}

std::string JsonLine(const std::string& time, LogLevel level, std::string_view event,
                     const LogFields& fields) {
  nlohmann::ordered_json line;
  line["time"] = time;
  line["level"] = LevelName(level);
  line["event"] = event;
  for (const auto& [key, value] : fields) line[std::string(key)] = value;
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Values with blanks or quotes are quoted as JSON strings, so that a line splits at its blanks.
std::string TextLine(const std::string& time, LogLevel level, std::string_view event,
                     const LogFields& fields) {
  std::string line = time;
  line.append(" ").append(LevelName(level)).append(" ").append(event);
  for (const auto& [key, value] : fields) {
    const bool plain = !value.empty() && value.find_first_of(" \t\r\n\"=") == std::string::npos;
    line.append(" ").append(key).append("=");
    line += plain ? value
                  : nlohmann::json(value).dump(-1, ' ', false,
                                               nlohmann::json::error_handler_t::replace);
  }
  return line;
}

}  // namespace

void InitLogging(LogLevel level, LogFormat format) {
  log_format = format;
  auto logger =
      std::make_shared<spdlog::logger>("winnow", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%v");
  logger->set_level(ToSpdlog(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(LogFromGrpc);
}

void Log(LogLevel level, std::string_view event, const LogFields& fields) {
  if (!spdlog::should_log(ToSpdlog(level))) return;
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  const std::string line = log_format.load() == LogFormat::kJson
                               ? JsonLine(time, level, event, fields)
                               : TextLine(time, level, event, fields);
  // As an argument: a brace in the line is not a format.
  spdlog::log(ToSpdlog(level), "{}", line);
}

}  // namespace winnow
