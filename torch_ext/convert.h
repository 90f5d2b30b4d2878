// From a trained model to what ships: codes, grids and the graph between them.
#pragma once

#include <filesystem>
#include <string>

#include "export/onnx/export_onnx.h"
#include "graph/graph.h"
#include "torch_ext/forward.h"

namespace samebits {

/// A model without torch. Self-contained: the trained model may go on changing.
class QuantizedModel {
 public:
  explicit QuantizedModel(graph::Graph graph) : graph_(std::move(graph)) {}
  const graph::Graph& graph() const { return graph_; }

  /// Writes the package folder NAME.samebits (graph/package.h). Atomic.
  void save(const std::filesystem::path& folder) const;
  /// Writes an ONNX file, by default in the bit-exact integer form (export/onnx/export_onnx.h). Atomic.
  void export_onnx(const std::filesystem::path& path, OnnxStyle style = OnnxStyle::kInteger) const;

 private:
  graph::Graph graph_;
};

/// Traces the model in eval mode, at two sizes of the batch, and makes a node of each layer, its weight as
/// codes or, where the layer was skipped, as floats, and of each operator between them (graph/operators.inc;
/// dropout disappears). Then runs the graph beside the model, on the example and on another batch, and
/// compares the bits. Throws c10::Error that names the layer or the operator: one that is unknown, a layer
/// that is neither quantizing, frozen nor skipped, a write through a view, a branch on values, or the first
/// node that differs. Modes, buffers and random numbers are as they were before.
QuantizedModel convert(const ModelRef& model, const Tensors& examples, const std::string& name = "model");
template <class Model>
QuantizedModel convert(Model& model, const Tensors& examples, const std::string& name = "model") {
  return convert(model_ref(model), examples, name);
}
/// The same of a model with one input.
inline QuantizedModel convert(const ModelRef& model, const torch::Tensor& example,
                              const std::string& name = "model") {
  return convert(model, Tensors{example}, name);
}
template <class Model>
QuantizedModel convert(Model& model, const torch::Tensor& example, const std::string& name = "model") {
  return convert(model_ref(model), example, name);
}

}  // namespace samebits
