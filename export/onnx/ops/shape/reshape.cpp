#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void reshape(const OnnxNode& out) {
  const graph::Shape &x = out.inputs[0].shape, &y = out.output.shape;
  graph::Shape shape;
  std::size_t rest = 0;  // sizes that neither are numbers nor stay
  for (std::size_t axis = 0; axis < y.size(); ++axis) {
    const bool stays = !y[axis].is_number() && axis < x.size() && x[axis] == y[axis];
    rest += y[axis].is_number() || stays ? 0 : 1;
    shape.push_back(stays ? graph::Dimension(0) : y[axis]);  // 0: as it was
  }
  if (rest == 1)
    for (graph::Dimension& size : shape)
      if (!size.is_number()) size = -1;  // -1: what is left
  out.onnx.add("Reshape", {out.x(), out.onnx.sizes("shape", shape)}, "reshaped");
}

}  // namespace samebits::onnx_forms
