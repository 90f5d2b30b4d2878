// mean: the sum over dimensions side by side, in the one order of docs/numerics.md §15, divided by their
// size.
#pragma once

#include "graph/ops/reduce/reduced.h"

namespace samebits::graph {

struct Mean : Reduced {
  static constexpr const char* kName = "mean";
};

}  // namespace samebits::graph
