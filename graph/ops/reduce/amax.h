// amax: the largest element over dimensions side by side; NaN if there is one, +0 for a zero.
#pragma once

#include "graph/ops/reduce/reduced.h"

namespace samebits::graph {

struct Amax : Reduced {
  static constexpr const char* kName = "amax";
};

}  // namespace samebits::graph
