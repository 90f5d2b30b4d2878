// RMSNormalization is newer than the opset that is written.
#include "graph/ops/normalize/rms_norm.h"

#include "export/onnx/ops/normalize/weights.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void rms_norm(const OnnxNode& out) {
  const auto& norm = out.node.as<graph::RmsNorm>();
  const std::string& x = out.node.inputs[0];
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = -norm.dims; axis < 0; ++axis) axes.push_back(axis);
  const std::string square = out.onnx.add("Mul", {x, x}, "square");
  const std::string mean = out.onnx.add("ReduceMean", {square, out.onnx.constant("axes", axes)}, "mean");
  const std::string shifted = out.onnx.add("Add", {mean, scalar(out, "eps", norm.eps)}, "shifted");
  std::string y = out.onnx.add("Div", {x, out.onnx.add("Sqrt", {shifted}, "root")}, "normalized");
  if (!norm.weight.empty())
    out.onnx.add("Mul", {y, out.onnx.constant("weight", norm.weight, last_sizes(out, norm.dims))},
                 "rms_norm");
}

}  // namespace samebits::onnx_forms
