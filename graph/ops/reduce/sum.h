// sum: the sum over dimensions side by side, in the one order of docs/numerics.md §15.
#pragma once

#include "graph/ops/reduce/reduced.h"

namespace samebits::graph {

struct Sum : Reduced {
  static constexpr const char* kName = "sum";
};

}  // namespace samebits::graph
