// The graph of a model as LibTorch's tracer records it, with parameters told apart from values, and the calls
// of QAT layers as what they are: each is one step from its input to its output, whatever operators it is
// made of. The tracer writes sizes down as the numbers that they were, so a model is traced at several.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "torch_ext/forward.h"
#include "torch_ext/graph/alignment.h"

namespace samebits {

class QATLayer;

/// One call of a layer in the model's forward. Tied weights and layers that are used twice have one each.
struct LayerCall {
  const QATLayer* layer;
  const torch::jit::Value* input;
};

struct TracedModel {
  std::shared_ptr<torch::jit::Graph> graph;  // of the examples
  std::vector<const torch::jit::Value*> inputs, outputs;
  std::map<const torch::jit::Value*, std::string> parameters;  // parameters and buffers, by path
  std::map<const torch::jit::Value*, torch::Tensor> tensors;   // the same, as they are
  std::map<const torch::jit::Value*, LayerCall> calls;         // by their output
  std::set<const torch::jit::Node*> within_calls;              // what layers compute inside
  Alignment alignment;                                         // with the traces at other sizes
  DynamicAxes axes;                                            // one entry an input
  Tensors results;                                             // of the examples
};

/// Runs the model on the examples in the mode that it is in, and on other values at other sizes of the batch
/// and, where the axes name sequences, of the sequence. Throws c10::Error when a result does not depend on
/// the examples, or the runs do not take the same way through the model.
TracedModel trace(const ModelRef& model, const Tensors& examples);

/// Other values at another size: `extra` items more in the batch, and steps in the sequence. The values are
/// the examples' in another order, negated where that keeps their meaning: floating-point ones.
Tensors other_examples(const ModelRef& model, const Tensors& examples, std::int64_t extra_batch,
                       std::int64_t extra_sequence);

}  // namespace samebits
