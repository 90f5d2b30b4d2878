// A size of a traced model, in symbols: wider than a graph's sizes, since a model may flatten batch and
// sequence.
#pragma once

#include "graph/types.h"

namespace samebits {

/// offset + factors · symbols + product · batch · sequence.
struct SymbolicSize {
  graph::Dimension linear;
  std::int64_t product = 0;
};

}  // namespace samebits
