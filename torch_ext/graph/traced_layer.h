// A layer whose forward a trace shows as one node, however many steps it has: those depend on the length of
// the sequence, which is free.
#pragma once

#include <torch/csrc/jit/frontend/tracer.h>

#include <memory>
#include <vector>

#include "torch_ext/forward.h"

namespace samebits {

class QATLayer;

/// While it lives, this thread records nothing.
class TracedLayer {
 public:
  TracedLayer();
  ~TracedLayer();
  TracedLayer(const TracedLayer&) = delete;
  TracedLayer& operator=(const TracedLayer&) = delete;

  /// Records that the layer made `output` of `inputs`, of which some may be undefined, if there is a trace;
  /// goes on recording.
  void record(const QATLayer& layer, const Tensors& inputs, const torch::Tensor& output);

 private:
  std::shared_ptr<torch::jit::tracer::TracingState> state_;
};

/// The layer that a node stands for; null: it is another node.
const QATLayer* traced_layer(const torch::jit::Node* node);
/// What such a layer reads besides its input: the states that it was given. Of another node: nothing.
std::vector<const torch::jit::Value*> states_of_call(const torch::jit::Node* node);

}  // namespace samebits
