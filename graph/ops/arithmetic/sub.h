// sub: a - b, element by element, of float32 or int64, shapes broadcast; integers wrap.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Sub : NoAttributes<Sub> {
  static constexpr const char* kName = "sub";
};

}  // namespace samebits::graph
