// Which implementation of each kernel runs here, and why the others do not: what `samebits doctor` prints.
#pragma once

#include <string>
#include <vector>

namespace samebits::ops {

struct ImplementationStatus {
  std::string name;
  bool used = false;
  std::string why_not;  // empty when it could run
};
struct KernelStatus {
  std::string kernel;
  std::vector<ImplementationStatus> implementations;  // best first; the first that can run is used
};

std::vector<KernelStatus> kernel_statuses();

}  // namespace samebits::ops
