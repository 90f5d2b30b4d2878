// maximum: a < b ? b : a, element by element, in float32, shapes broadcast; NaN if either is.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Maximum : NoAttributes<Maximum> {
  static constexpr const char* kName = "maximum";
};

}  // namespace samebits::graph
