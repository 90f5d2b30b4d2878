// The command line: which command, its options, help, and the words about wrong use.
#include "training/commands/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "torch_ext/config/yaml_reader.h"
#include "training/commands/exit_codes.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

class CommandLine {
 public:
  explicit CommandLine(const std::vector<Command>& commands) {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", SAMEBITS_VERSION);
    app_.footer(
        "samebits COMMAND --help shows the options and an example of a command.\n"
        "Exit code 0: done; 1: the answer is no; 2: wrong use; 3: the machine lacks something.");
    app_.failure_message([this](const CLI::App*, const CLI::Error& error) {
      const std::string text = printable_text(error.what());
      return "error: [samebits] " + text + (text.ends_with("?") ? "\n" : "; " + usage() + "\n");
    });
    for (const Command& command : commands) add(command);
  }

  int run(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    try {
      if (!words.empty() && words[0] == "help") {  // samebits help [COMMAND]: as COMMAND --help
        words.erase(words.begin());
        words.resize(std::min<std::size_t>(words.size(), 1));
        words.push_back("--help");
      }
      check_command(words.empty() ? "" : words[0]);
      std::reverse(words.begin(), words.end());  // as CLI11 wants them
      app_.parse(words);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? kDone : kWrongUse;
    }
    return chosen_();
  }

 private:
  void add(const Command& command) {
    names_.push_back(command.name);
    CLI::App* added = app_.add_subcommand(command.name, command.summary);
    added->group(command.group);
    added->footer("Example: " + command.example);
    command.add_options(*added);
    added->callback([this, run = command.run] { chosen_ = run; });
  }

  void check_command(const std::string& word) const {
    if (word.starts_with("-") || std::count(names_.begin(), names_.end(), word) > 0) return;
    const std::string nearest = nearest_name(word, names_);
    throw CLI::ValidationError("expected " + alternatives(names_) + ", got " +
                               (word.empty() ? "none" : "\"" + word + "\"") +
                               (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
  }
  std::string usage() const {
    const auto parsed = app_.get_subcommands();
    if (parsed.empty()) return "samebits --help lists them";
    return "samebits " + parsed.front()->get_name() + " --help shows an example";
  }

  CLI::App app_{
      "Quantization-aware training for LibTorch: the integers you train on are the integers you ship.",
      "samebits"};
  std::vector<std::string> names_;
  std::function<int()> chosen_;
};

}  // namespace

int run_command_line(int argc, char** argv, const std::vector<Command>& commands) {
  occupy_standard_descriptors();
  CommandLine command_line(commands);
  return guarded([&] { return command_line.run(argc, argv); });
}

}  // namespace samebits::training
