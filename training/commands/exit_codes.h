// Exit codes, given by the type of what was thrown and never by its text.
#pragma once

#include <functional>

namespace samebits::training {

enum ExitCode : int {
  kDone = 0,
  kNo = 1,            // the answer is no: something differs, or training cannot go on
  kWrongUse = 2,      // of the command line, or a wrong file
  kMachineLacks = 3,  // a library, disk space, memory, permission; or anything that nobody foresaw
  kInterrupted = 130  // as a shell reports SIGINT
};

/// Runs a command and reports on stderr what it throws. What was printed must have reached its place: output
/// that was lost, on a full disk or a closed descriptor, gives kMachineLacks.
int guarded(const std::function<int()>& command);

/// Takes the place of descriptors 0 to 2 that are closed, so that no file that is opened later gets one of
/// them. Writing to a closed standard output stays an error.
void occupy_standard_descriptors();

}  // namespace samebits::training
