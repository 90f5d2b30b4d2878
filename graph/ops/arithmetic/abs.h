// abs: x without its sign, element by element; also of NaN.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Abs : NoAttributes<Abs> {
  static constexpr const char* kName = "abs";
};

}  // namespace samebits::graph
