// Turns a float model into one that observes and then trains on integers: every QATLinear and QATConv2d below
// the model gets its scheme. The products of a GraphModule become such layers, its float operators those that
// ship; in a model of modules, torch::nn::Linear and Conv2d inside a Sequential are replaced, parameters and
// all, joined by the batch norm that follows them there.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

#include "torch_ext/config/qconfig.h"
#include "torch_ext/forward.h"
#include "torch_ext/graph/unshippable.h"
#include "torch_ext/modules/joined_batch_norm.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {

class StepFlags;

/// One layer that prepare() met.
struct LayerStatus {
  std::string path;    // "features.0"
  std::string kind;    // "linear", "conv2d", or the float module's name
  std::string weight;  // "int4 groups of 32"; empty when skipped
  std::string input;   // "int8 affine"
  bool converted = false;
  std::string note;  // why skipped; what was changed
};

struct PrepareOptions {
  std::int64_t observe_steps = 200;  // training forwards before a layer computes on integers; 0: when told
  bool strict = true;                // whether operators of a graph that cannot ship are an error
};

/// A prepared model's layers: what prepare() returns. Shares the layers with the model.
class Prepared {
 public:
  /// A table: layer, kind, weight, input, and converted or skipped (why); then every operator that cannot
  /// ship.
  std::string report() const;

  const std::vector<std::shared_ptr<QATLayer>>& layers() const { return layers_; }
  const std::vector<LayerStatus>& statuses() const { return statuses_; }
  /// What convert() would refuse.
  const std::vector<Unshippable>& unshippable() const { return unshippable_; }

  /// All layers at once; from observing on this happens by itself after observe_steps.
  void observe() { set_state(QuantizerState::kObserving); }
  void quantize() { set_state(QuantizerState::kQuantizing); }
  void freeze() { set_state(QuantizerState::kFrozen); }
  void set_state(QuantizerState state);
  /// Batch norms that layers have joined go on with the statistics that they have, in training too: what is
  /// trained then is what ships.
  void freeze_bn(bool frozen = true);

  /// The state of the layer that is furthest behind.
  QuantizerState state() const;

  /// Throws c10::Error, naming the layer, when an input or a weight since the last call held a NaN or an
  /// infinity. On the CPU the forward throws by itself; on a device, which nobody waits for, the first
  /// gradient of a step calls this, and whoever computes without gradients does after a batch.
  void check_finite();

 private:
  friend Prepared prepare(const ModelRef&, const QConfig&, const Tensors&, const PrepareOptions&);
  Prepared();

  std::vector<std::shared_ptr<QATLayer>> layers_;
  std::vector<LayerStatus> statuses_;
  std::vector<std::shared_ptr<JoinedBatchNormImpl>> batch_norms_;  // of skipped layers too
  std::vector<Unshippable> unshippable_;
  std::shared_ptr<StepFlags> flags_;
};

/// Sets up every layer by `config` and leaves it observing. Runs the examples a few times, in eval mode.
/// Throws c10::Error when a layer is not reached by them, an exception of the configuration matches no layer,
/// a torch::nn::Linear or Conv2d cannot be converted, unless the configuration skips it, or, with `strict`,
/// when operators of a GraphModule cannot ship, all of them at once; the model computes what it did before
/// then. What of another model cannot ship is in report().
Prepared prepare(const ModelRef& model, const QConfig& config, const Tensors& examples,
                 const PrepareOptions& options = {});
template <class Model>
Prepared prepare(Model& model, const QConfig& config, const Tensors& examples,
                 const PrepareOptions& options = {}) {
  return prepare(model_ref(model), config, examples, options);
}
/// The same of a model with one input.
inline Prepared prepare(const ModelRef& model, const QConfig& config, const torch::Tensor& example,
                        std::int64_t observe_steps = 200) {
  return prepare(model, config, Tensors{example}, {.observe_steps = observe_steps});
}
template <class Model>
Prepared prepare(Model& model, const QConfig& config, const torch::Tensor& example,
                 std::int64_t observe_steps = 200) {
  return prepare(model_ref(model), config, example, observe_steps);
}

/// Post-training quantization: observes each batch in eval mode without gradients, then freezes.
void calibrate(const ModelRef& model, Prepared& prepared, const std::vector<torch::Tensor>& batches);
template <class Model>
void calibrate(Model& model, Prepared& prepared, const std::vector<torch::Tensor>& batches) {
  calibrate(model_ref(model), prepared, batches);
}

}  // namespace samebits
