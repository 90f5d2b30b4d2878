// minimum: b < a ? b : a, element by element, in float32, shapes broadcast; NaN if either is.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Minimum : NoAttributes<Minimum> {
  static constexpr const char* kName = "minimum";
};

}  // namespace samebits::graph
