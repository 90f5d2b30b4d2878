// neg: x with the other sign, element by element; also of zeros and NaN.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Neg : NoAttributes<Neg> {
  static constexpr const char* kName = "neg";
};

}  // namespace samebits::graph
