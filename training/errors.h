// What can go wrong, as types: exit_codes.cpp gives each its exit code, whatever the text says.
#pragma once

#include <stdexcept>

namespace samebits::training {

/// What was given is wrong: a configuration, data, a checkpoint, a folder. Exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Training cannot go on: a NaN or an infinity. The text names step and place. Exit code 1.
class TrainingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace samebits::training
