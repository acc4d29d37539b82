#include "services/winnowd/config_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <istream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
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

std::string FileOf(const CLI::App& app) { return app.get_config_ptr()->as<std::string>(); }

// CLI11 reads the file before the environment and keeps what it has first; lines that a variable
// overrules are left out here. Of what is wrong it names neither file nor line.
class FileBehindEnvironment final : public CLI::ConfigINI {
 public:
  FileBehindEnvironment(const CLI::App& app, int argc, const char* const* argv) : app_(app) {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      given_.insert(argument.substr(0, argument.find('=')));
    }
  }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    const std::string text{std::istreambuf_iterator<char>(input), {}};
    NoteLines(text);
    std::istringstream again(text);
    std::vector<CLI::ConfigItem> items = CLI::ConfigINI::from_config(again);
    std::erase_if(items, [](const CLI::ConfigItem& item) {
      return ValueOf(VariableOf(item.name)) != nullptr;
    });
    for (const CLI::ConfigItem& item : items) CheckItem(item);
    return items;
  }

  std::string SourceOf(const std::string& flag) const {
    if (given_.contains(flag)) return "";
    const std::string name = flag.substr(2);
    if (ValueOf(VariableOf(name)) != nullptr) return absl::StrCat(" (from ", VariableOf(name), ")");
    const auto line = lines_.find(name);
    return line == lines_.end() ? "" : absl::StrCat(" (at ", Place(line->second), ")");
  }

 private:
  std::string Place(int line) const { return absl::StrCat(FileOf(app_), ":", line); }

  void NoteLines(const std::string& text) const {
    int number = 0;
    bool in_list = false;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      ++number;
      absl::StripAsciiWhitespace(&line);
      const bool goes_on = in_list;
      const bool begins = absl::StrContains(line, "=[") || absl::StrContains(line, "= [");
      in_list = (in_list || begins) && !absl::StrContains(line, ']');
      if (goes_on || line.empty() || line[0] == '#' || line[0] == ';') continue;
      NoteLine(line, number);
    }
  }

  void NoteLine(const std::string& line, int number) const {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) {
      throw CLI::ValidationError(absl::StrCat(Place(number), ": '", line, "' is not key=value"));
    }
    const std::string key(absl::StripAsciiWhitespace(line.substr(0, equals)));
    if (app_.get_option_no_throw("--" + key) == nullptr) {
      throw CLI::ValidationError(absl::StrCat(Place(number), ": there is no flag --", key));
    }
    lines_.emplace(key, number);
  }

  void CheckItem(const CLI::ConfigItem& item) const {
    const CLI::Option* option = app_.get_option_no_throw("--" + item.name);
    const auto line = lines_.find(item.name);
    if (option == nullptr || line == lines_.end()) return;
    if (static_cast<int>(item.inputs.size()) <= option->get_items_expected_max()) return;
    throw CLI::ValidationError(
        absl::StrCat(Place(line->second), ": ", item.name, " has ", item.inputs.size(),
                     " values; quote one with spaces, and put comments on lines of their own"));
  }

  const CLI::App& app_;
  std::set<std::string> given_;               // flags of the command line
  mutable std::map<std::string, int> lines_;  // by key, of the file
};

}  // namespace

void AddConfigFile(CLI::App& app, int argc, const char* const* argv) {
  // CLI11 does not ask the environment for the file's name.
  const char* named = ValueOf("WINNOW_CONFIG");
  app.set_config("--config", named == nullptr ? "" : named,
                 "file of key=value lines named as the flags are", named != nullptr);
  app.get_config_ptr()->envname("WINNOW_CONFIG")->type_name("FILE");
  app.config_formatter(std::make_shared<FileBehindEnvironment>(app, argc, argv));
  app.allow_config_extras(false);
}

std::string SourceOf(const CLI::App& app, const std::string& flag) {
  const auto file = std::dynamic_pointer_cast<FileBehindEnvironment>(app.get_config_formatter());
  return file == nullptr ? "" : file->SourceOf(flag);
}

std::string WhyUnreadable(const CLI::App& app) {
  const std::string path = FileOf(app);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char byte = 0;
  const bool reads = fd >= 0 && read(fd, &byte, 1) >= 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  return absl::StrCat("cannot read ", path, ": ",
                      reads ? "it is not a regular file" : strerror(error),
                      SourceOf(app, "--config"));
}

}  // namespace winnow
