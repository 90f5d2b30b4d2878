// pad: x with elements before and after each dimension: a constant, x mirrored at its edge (the edge once),
// or the edge repeated. float32.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

enum class PadMode { kConstant, kReflect, kReplicate };
constexpr const char* kPadModeNames[] = {"constant", "reflect", "replicate"};

struct Pad {
  static constexpr const char* kName = "pad";
  Sizes before, after;  // of each dimension, 0 or more
  PadMode mode = PadMode::kConstant;
  float value = 0;  // finite

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("before", self.before);
    visit("after", self.after);
    visit.choice("mode", self.mode, kPadModeNames);
    visit("value", self.value);
  }
  friend bool operator==(const Pad&, const Pad&) = default;
};

}  // namespace samebits::graph
