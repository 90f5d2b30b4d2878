// What the executable's exit codes tell apart: 0 done, 1 the answer is no, 2 wrong use, 3 the machine lacks something.
#pragma once

#include <stdexcept>

namespace samebits::training {

/// A file could not be written: read-only folder, full disk. Exit code 3.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Training cannot go on: a NaN. Exit code 1.
class TrainingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace samebits::training
