// The commands of the executable samebits. Each returns its exit code: 0 done, 1 the answer is no, 130
// interrupted. What goes wrong is thrown; run_command_line turns it into a message on stderr and an exit
// code.
#pragma once

#include <string>
#include <vector>

namespace samebits::training {

struct TrainArguments {
  std::string config;                    // a YAML file; empty with `resume`
  std::vector<std::string> assignments;  // of --set
  std::string resume;                    // a run's folder
};
int train(const TrainArguments& arguments);
int eval(const std::string& run, bool package);
int export_model(const std::string& run, const std::vector<std::string>& formats);
int verify_exports(const std::string& run, const std::string& json_file);
int doctor();

/// Parses the command line, runs the command and reports what it threw: 1 training cannot go on, 2 wrong use
/// (a bad file among it), 3 the machine lacks something (a library, disk space, permission).
int run_command_line(int argc, char** argv);

}  // namespace samebits::training
