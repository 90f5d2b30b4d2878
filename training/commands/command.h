// A command of the executable: its words, its options and what it does. A file a command; main.cpp collects
// them.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace samebits::training {

struct Command {
  std::string name, group, summary;
  std::string example;  // a whole command line
  std::function<void(CLI::App&)> add_options;
  std::function<int()> run;  // after the options were read; returns an exit code or throws (exit_codes.h)
};

/// Parses the command line, runs the command that it names and reports what that throws; the exit code.
int run_command_line(int argc, char** argv, const std::vector<Command>& commands);

}  // namespace samebits::training
