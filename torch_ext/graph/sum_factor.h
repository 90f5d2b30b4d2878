// The third argument of ATen's sums and differences.
#pragma once

#include "torch_ext/graph/trace_reader.h"

namespace samebits {

/// Throws c10::Error unless the factor of a + factor · b is 1: ATen fuses others on some processors.
inline void check_factor(const TraceWalk& walk, const torch::jit::Node* node) {
  const at::Scalar factor = walk.constant<at::Scalar>(node, 2, "alpha");
  TORCH_CHECK(factor.toDouble() == 1.0, "[export] after ", walk.previous(), ": expected alpha 1 of ",
              node->kind().toQualString(), ", got ", factor,
              ", which ATen fuses or not by processor; write a product and a sum");
}

}  // namespace samebits
