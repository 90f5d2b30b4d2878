// mul: a · b, element by element, of float32 or int64, shapes broadcast; integers wrap.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Mul : NoAttributes<Mul> {
  static constexpr const char* kName = "mul";
};

}  // namespace samebits::graph
