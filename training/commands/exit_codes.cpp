#include "training/commands/exit_codes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <system_error>

#include "io/atomic_file.h"
#include "torch_ext/config/yaml_reader.h"
#include "torch_ext/verify.h"
#include "training/errors.h"
#include "training/library_errors.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

int report_error(const std::string& text, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "error: %s\n", printable_text(text).c_str());
  return code;
}

int report_unforeseen(const std::exception& error) {
  if (is_out_of_memory(error))
    return report_error("[samebits] memory: expected more than this machine gives, got: " + text_of(error) +
                            "; take a smaller model or batch",
                        kMachineLacks);
  if (dynamic_cast<const std::system_error*>(&error) != nullptr)
    return report_error("[samebits] system: " + text_of(error), kMachineLacks);
  return report_error("[samebits] unforeseen: " + text_of(error), kMachineLacks);
}

int run_reporting(const std::function<int()>& command) {
  try {
    return command();
  } catch (const TrainingError& error) {
    return report_error(error.what(), kNo);
  } catch (const UsageError& error) {
    return report_error(error.what(), kWrongUse);
  } catch (const ConfigError& error) {
    return report_error(error.what(), kWrongUse);
  } catch (const io::WriteError& error) {
    return report_error(error.what(), kMachineLacks);
  } catch (const MissingDependency& error) {
    return report_error(error.what(), kMachineLacks);
  } catch (const std::exception& error) {
    return report_unforeseen(error);
  }
}

}  // namespace

int guarded(const std::function<int()>& command) {
  const int code = run_reporting(command);
  errno = 0;
  std::cout.flush();
  const bool is_written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  if (is_written || code == kWrongUse || code == kMachineLacks) return code;
  // An earlier flush has failed, and its cause is forgotten: another byte, in output that is lost, fails with
  // it again.
  if (errno == 0 && ::write(STDOUT_FILENO, "\n", 1) > 0) errno = 0;
  return report_error("[write] standard output: " + std::string(errno != 0 ? std::strerror(errno) : "lost"),
                      kMachineLacks);
}

void occupy_standard_descriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) != -1) continue;
    // The lowest free descriptor, which is this one. Not writable where results would go.
    if (::open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY) < 0)
      return;  // nor can others open
  }
}

}  // namespace samebits::training
