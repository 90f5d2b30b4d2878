// What operators on several values of different shapes check alike.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

/// Shapes aligned at their last dimension, each size that of the others or 1. Throws GraphError when they are
/// not.
Shape broadcast_shape(const Node& node, Types inputs);

enum class Takes { kFloats, kIntegersToo };

/// y of inputs of one dtype, float32 or, if so, int64, that broadcast.
TensorType arithmetic_type(const Node& node, Types inputs, Takes takes);

}  // namespace samebits::graph
