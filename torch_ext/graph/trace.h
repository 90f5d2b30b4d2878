// The graph of a model as LibTorch's tracer records it, with parameters told apart from values.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "torch_ext/forward.h"

namespace samebits {

struct TracedModel {
  std::shared_ptr<torch::jit::Graph> graph;
  const torch::jit::Value* input = nullptr;
  const torch::jit::Value* output = nullptr;
  std::map<const torch::jit::Value*, std::string> parameters;  // parameters and buffers, by path
};

/// Runs `example` once in eval mode without gradients. Throws c10::Error when the model's result is not one
/// tensor that depends on the example.
TracedModel trace(const ModelRef& model, const torch::Tensor& example);

}  // namespace samebits
