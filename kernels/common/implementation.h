// An ordered list of implementations of one kernel: best first, `reference` last, each with the reason it
// cannot run here. `samebits doctor` prints the lists; tests run every usable entry against the oracle.
#pragma once

#include <span>
#include <string>

namespace samebits::kernels {

template <class Function>
struct Implementation {
  const char* name;
  Function* run;
  /// Empty when it can run on this machine, else the reason.
  std::string (*why_not)();
};

/// The first entry that can run. The list is not empty and its last entry runs anywhere.
template <class Function>
const Implementation<Function>& first_usable(std::span<const Implementation<Function>> list) {
  for (const auto& entry : list)
    if (entry.why_not().empty()) return entry;
  return list.back();
}

}  // namespace samebits::kernels
