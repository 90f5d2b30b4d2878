#include "graph/ops/normalize/group_norm.h"

#include "export/onnx/ops/normalize/weights.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void group_norm(const OnnxNode& out) {
  const auto& norm = out.node.as<graph::GroupNorm>();
  const graph::Sizes shape = {out.output.shape[1].offset};
  const std::vector<float> zeros(static_cast<std::size_t>(shape[0]));
  out.onnx.add("GroupNormalization",
               {out.node.inputs[0], weight_or_ones(out, norm.weight, shape),
                out.onnx.constant("bias", norm.bias.empty() ? zeros : norm.bias, shape)},
               "group_norm");
  out.onnx.set("num_groups", norm.groups);
  out.onnx.set_float("epsilon", norm.eps);
}

}  // namespace samebits::onnx_forms
