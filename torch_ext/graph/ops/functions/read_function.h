// What the readers of functions share.
#pragma once

#include "graph/ops/functions/plain_function.h"
#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {

/// The reader of a function without attributes: `exact` is the operator that has the contract's bits, `kind`
/// and `in_place` those of ATen.
template <class A>
TraceReader plain_function(const char* exact, const char* kind, const char* in_place) {
  return {.kinds = {exact},
          .read = [](TraceWalk& walk,
                     const torch::jit::Node* node) { walk.add(A{}, {node->input(0)}, node->output(0)); },
          .exact = {{kind, exact}, {in_place, exact}}};
}

}  // namespace samebits::trace_ops
