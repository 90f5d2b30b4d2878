// add: a + b, element by element, of float32 or int64, shapes broadcast; integers wrap.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Add : NoAttributes<Add> {
  static constexpr const char* kName = "add";
};

}  // namespace samebits::graph
