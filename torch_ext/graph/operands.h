// Inputs of nodes that a graph takes as values: what the model computes, and parameters, buffers and numbers,
// which become constants of the graph.
#pragma once

#include "torch_ext/graph/trace_reader.h"

namespace samebits {

/// The dtype as a graph has it. Throws c10::Error, naming the node, for one that it has not.
graph::Dtype graph_dtype(const TraceWalk& walk, const torch::jit::Node* node, torch::ScalarType dtype);

/// A tensor as a constant of a graph.
graph::ConstantTensor constant_of(const TraceWalk& walk, const torch::jit::Node* node,
                                  const torch::Tensor& tensor);
/// A number as one of that dtype. Throws c10::Error unless it is one.
graph::ConstantTensor constant_of(const TraceWalk& walk, const torch::jit::Node* node,
                                  const at::Scalar& number, graph::Dtype dtype);

/// The name of the value at an input of a node: computed, or a constant that this adds. `dtype` is what a
/// number becomes.
std::string operand(TraceWalk& walk, const torch::jit::Node* node, std::size_t input, graph::Dtype dtype);
/// The same, cast to that dtype where it has another, as ATen promotes it.
std::string promoted_operand(TraceWalk& walk, const torch::jit::Node* node, std::size_t input,
                             graph::Dtype dtype);

/// Adds a node of two operands, whose dtype is `dtype`, that makes the node's output.
template <class A>
void add_binary(TraceWalk& walk, const torch::jit::Node* node, A attributes, graph::Dtype dtype) {
  std::string a = promoted_operand(walk, node, 0, dtype), b = promoted_operand(walk, node, 1, dtype);
  walk.bind(node->output(0), walk.make(std::move(attributes), {std::move(a), std::move(b)}));
}
/// The same, of the output's dtype.
template <class A>
void add_binary(TraceWalk& walk, const torch::jit::Node* node, A attributes) {
  add_binary(walk, node, std::move(attributes), graph_dtype(walk, node, walk.dtype_of(node->output(0))));
}

/// The dimension that stands at an input, counted from the front.
std::size_t dimension_at(const TraceWalk& walk, const torch::jit::Node* node, std::size_t input,
                         std::size_t rank);

/// Whether the input is None, or not there.
bool is_none(const torch::jit::Node* node, std::size_t input);

}  // namespace samebits
