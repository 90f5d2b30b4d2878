// A graph run beside the model that it was read from.
#pragma once

#include "graph/graph.h"
#include "runtime/array.h"
#include "torch_ext/forward.h"

namespace samebits {

/// Of float32, int64 or bool. Throws c10::Error for another tensor, and for one on a device.
runtime::Array array_of(const torch::Tensor& x);
std::vector<runtime::Array> arrays_of(const Tensors& tensors);
torch::Tensor tensor_of(const runtime::Array& array);

/// Throws c10::Error that names the first node that differs unless the graph gives the bits of the model for
/// the examples, whose results are `expected`, and for another batch of other values: what a trace cannot
/// show (a branch on a value, a size that was baked in, a change behind its back) shows there.
void check_replay(const ModelRef& model, const graph::Graph& graph, const Tensors& examples,
                  const Tensors& expected);

/// The outputs of the model's layers for its inputs, by the names of their nodes in `graph`, in eval mode.
std::map<std::string, graph::FloatTensor> layer_outputs(const ModelRef& model, const graph::Graph& graph,
                                                        const Tensors& inputs);

}  // namespace samebits
