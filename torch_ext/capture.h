// Any model as a graph that trains: a C++ module as it is, without an edit.
#pragma once

#include <utility>

#include "torch_ext/graph_module.h"

namespace samebits {

/// The graph of a model, from runs of its forward on the examples: typed members, containers, LSTM,
/// MultiheadAttention, TransformerEncoder, functional use of weights, tied weights. It has the model's own
/// parameters and buffers, the same tensors under the same names: optimizers made before, saved files and
/// to() go on working, and the model sees what the graph learns. It computes the model's bits, gradients
/// included, in training and in eval mode, at any batch and, where ModelRef::axes names sequences, at any
/// length.
///
/// Runs the model a few times at several sizes and on other values; modes, buffers and random numbers are as
/// they were before. Throws c10::Error that names the operator where the runs take different ways through the
/// model (a branch on values, item()), where eval mode does anything else than turn off dropout and read
/// running statistics, or where the graph does not give the model's bits.
GraphModule capture(const ModelRef& model, const Tensors& examples);

/// `examples`: a tensor for each argument of the model's forward, batch first.
template <class Model, class... More>
GraphModule capture(Model& model, const torch::Tensor& example, const More&... more) {
  return capture(model_ref(model), Tensors{example, more...});
}
/// The same with what is free in each example: {.batch = {0}, .sequence = {1}}.
template <class Model>
GraphModule capture(Model& model, const Tensors& examples, DynamicAxes axes = {}) {
  ModelRef ref = model_ref(model);
  ref.axes = std::move(axes);
  return capture(std::as_const(ref), examples);
}

}  // namespace samebits
