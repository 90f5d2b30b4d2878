// How the ONNX writer puts an operator: export/onnx/ops/<theme>/<name>.cpp has one for each of
// graph/operators.inc. docs/reference/onnx.md says why each form is what it is.
#pragma once

#include "export/onnx/export_onnx.h"
#include "export/onnx/onnx_builder.h"
#include "graph/operator.h"

namespace samebits {

/// One node to be written. The last ONNX node that its form adds makes its output.
struct OnnxNode {
  const graph::Node& node;
  const graph::TensorType& output;
  OnnxBuilder& onnx;
  graph::Types inputs = {};  // types of them
  OnnxStyle style = OnnxStyle::kInteger;

  /// Input i.
  const std::string& x(std::size_t i = 0) const { return node.inputs[i]; }
  /// Whether the form promises bits; else it is the one that engines know best.
  bool is_exact() const { return style == OnnxStyle::kInteger; }
};

using OnnxForm = void(const OnnxNode& out);

OnnxForm& onnx_form_of(const graph::Operator& op);

// What several forms share.

/// A constant of one float.
inline std::string scalar(const OnnxNode& out, const char* what, float value) {
  return out.onnx.constant(what, {&value, 1}, {});
}
/// ONNX's number of a type.
std::int64_t onnx_type(graph::Dtype dtype);

/// y + 0, which is y but for the sign of a zero. As an Add of one 0 it would be optimized away.
std::string add_zero(OnnxBuilder& onnx, const std::string& y);

/// Attributes of a window that moves: pads, strides, dilations.
template <class W>
void set_window(OnnxBuilder& onnx, const W& window) {
  onnx.set("pads", std::array{window.padding[0], window.padding[1], window.padding[0], window.padding[1]});
  onnx.set("strides", window.stride);
  onnx.set("dilations", window.dilation);
}

}  // namespace samebits
