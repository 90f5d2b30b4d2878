// What the readers of functions share.
#pragma once

#include "graph/ops/functions/plain_function.h"
#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {

/// The reader of a function without attributes; `kind` is the operator that has the contract's bits.
template <class A>
TraceReader plain_function(const char* kind) {
  return {{kind}, [](TraceWalk& walk, const torch::jit::Node* node) {
            walk.add(A{}, {node->input(0)}, node->output(0));
          }};
}

}  // namespace samebits::trace_ops
