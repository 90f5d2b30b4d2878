// where: condition ? a : b, element by element; a and b of one dtype, shapes broadcast.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Where : NoAttributes<Where> {
  static constexpr const char* kName = "where";
};

}  // namespace samebits::graph
