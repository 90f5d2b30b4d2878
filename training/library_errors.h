// The library and LibTorch throw few types. Where a call can only be refused for what it was given, its
// caller says so with refusing(); the rest is foreign, and exit_codes.cpp treats it so.
#pragma once

#include <exception>
#include <string>

namespace samebits::training {

/// What to tell: c10::Error adds a backtrace to what() that is nobody's business here.
std::string text_of(const std::exception& error);

/// Whether memory ran out, also as LibTorch says it.
bool is_out_of_memory(const std::exception& error);

/// Rethrows the exception in flight, `error`: as UsageError, or as it is where its type has a meaning of its
/// own (UsageError, TrainingError, io::WriteError, MissingDependency, out of memory, errors of the system).
[[noreturn]] void rethrow_refusal(const std::exception& error);

/// run(), whose errors become UsageErrors.
template <class Run>
auto refusing(const Run& run) -> decltype(run()) {
  try {
    return run();
  } catch (const std::exception& error) {
    rethrow_refusal(error);
  }
}

}  // namespace samebits::training
