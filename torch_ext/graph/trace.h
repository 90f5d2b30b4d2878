// The graph of a model as LibTorch's tracer records it, with parameters told apart from values, and the calls
// of QAT layers as what they are: each is one step from its input to its output, whatever operators it is
// made of.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "torch_ext/forward.h"

namespace samebits {

class QATLayer;

/// One call of a layer in the model's forward. Tied weights and layers that are used twice have one each.
struct LayerCall {
  const QATLayer* layer;
  const torch::jit::Value* input;
};

struct TracedModel {
  std::shared_ptr<torch::jit::Graph> graph;
  const torch::jit::Value* input = nullptr;
  const torch::jit::Value* output = nullptr;
  std::map<const torch::jit::Value*, std::string> parameters;  // parameters and buffers, by path
  std::map<const torch::jit::Value*, torch::Tensor> tensors;   // and what they hold
  std::map<const torch::jit::Value*, LayerCall> calls;         // by their output
  std::set<const torch::jit::Node*> within_calls;              // what layers compute inside
  torch::Tensor result;                                        // of the example
};

/// Runs `example` once in eval mode without gradients. Throws c10::Error when the model's result is not one
/// tensor that depends on the example.
TracedModel trace(const ModelRef& model, const torch::Tensor& example);

}  // namespace samebits
