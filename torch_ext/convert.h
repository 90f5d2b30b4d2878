// From a trained model to what ships: codes, grids and the graph between them.
#pragma once

#include <filesystem>
#include <string>

#include "graph/graph.h"
#include "torch_ext/forward.h"

namespace samebits {

/// A model without torch. Self-contained: the trained model may go on changing.
class QuantizedModel {
 public:
  explicit QuantizedModel(runtime::Graph graph) : graph_(std::move(graph)) {}
  const runtime::Graph& graph() const { return graph_; }

  /// Writes the package folder NAME.samebits (graph/package.h). Atomic.
  void save(const std::filesystem::path& folder) const;
  /// Writes the bit-exact integer ONNX form (export/onnx/export_onnx.h). Atomic.
  void export_onnx(const std::filesystem::path& path) const;

 private:
  runtime::Graph graph_;
};

/// Traces the model in eval mode and turns each layer's weight into codes. Ops: QATLinear, QATConv2d, relu,
/// max_pool2d, avg_pool2d, flatten (also as view or reshape), add; dropout disappears. Throws c10::Error that
/// names the layer or the op: anything else, a layer that is not quantizing or frozen, float layers.
QuantizedModel convert(const ModelRef& model, const torch::Tensor& example,
                       const std::string& name = "model");
template <class Model>
QuantizedModel convert(Model& model, const torch::Tensor& example, const std::string& name = "model") {
  return convert(model_ref(model), example, name);
}

}  // namespace samebits
