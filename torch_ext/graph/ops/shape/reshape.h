// The one reader of all operators that only change sizes.
#pragma once

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {

/// Adds what makes the output of the input: nothing, a flatten, or a reshape.
void read_sizes(TraceWalk& walk, const torch::jit::Node* node);

}  // namespace samebits::trace_ops
