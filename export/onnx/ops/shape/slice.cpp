#include "graph/ops/shape/slice.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void slice(const OnnxNode& out) {
  const auto& slice = out.node.as<graph::Slice>();
  out.onnx.add("Slice",
               {out.x(), out.onnx.sizes("begin", {slice.begin}), out.onnx.sizes("end", {slice.end}),
                out.onnx.constant("axis", slice.axis), out.onnx.constant("step", slice.step)},
               "slice");
}

}  // namespace samebits::onnx_forms
