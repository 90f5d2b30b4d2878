// div: a / b, element by element, in float32, shapes broadcast: a true division.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Div : NoAttributes<Div> {
  static constexpr const char* kName = "div";
};

}  // namespace samebits::graph
