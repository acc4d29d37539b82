#include "services/winnowd/config_file.h"

#include <cstdlib>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace winnow {
namespace {

// The variable that sets the same as a line of the file: max-message, WINNOW_MAX_MESSAGE.
std::string VariableOf(const std::string& name) {
  return absl::StrCat("WINNOW_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
}

// Null where it is not set, or set to nothing, which is the same to CLI11.
const char* ValueOf(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  return value == nullptr || *value == '\0' ? nullptr : value;
}

// CLI11 reads the file before the environment and keeps what it has first; lines that a variable
// overrules are left out here.
class FileBehindEnvironment final : public CLI::ConfigINI {
 public:
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> items = CLI::ConfigINI::from_config(input);
    std::erase_if(items, [](const CLI::ConfigItem& item) {
      return ValueOf(VariableOf(item.name)) != nullptr;
    });
    return items;
  }
};

}  // namespace

void AddConfigFile(CLI::App& app) {
  // CLI11 does not ask the environment for the file's name.
  const char* named = ValueOf("WINNOW_CONFIG");
  app.set_config("--config", named == nullptr ? "" : named,
                 "file of key=value lines named as the flags are", named != nullptr);
  app.get_config_ptr()->envname("WINNOW_CONFIG")->type_name("FILE");
  app.config_formatter(std::make_shared<FileBehindEnvironment>());
  app.allow_config_extras(false);
}

}  // namespace winnow
