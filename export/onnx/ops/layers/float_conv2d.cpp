// Conv, and Mul and Add where channels have a factor: the engine chooses the order of the sums.
#include "graph/ops/layers/float_conv2d.h"

#include "export/onnx/integer_layer.h"
#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void float_conv2d(const OnnxNode& out) {
  const auto& conv = out.node.as<graph::FloatConv2d>();
  const graph::Sizes& shape = conv.weight.shape;
  std::vector<std::string> inputs = {out.node.inputs[0],
                                     out.onnx.constant("weight", conv.weight.values, shape)};
  const bool has_scale = !conv.channel_scale.empty();
  if (!has_scale && !conv.bias.empty()) inputs.push_back(out.onnx.constant("bias", conv.bias, {shape[0]}));
  const std::string y = out.onnx.add("Conv", inputs, "float");
  out.onnx.set("kernel_shape", std::array{shape[2], shape[3]});
  set_window(out.onnx, conv);
  out.onnx.set("group", conv.groups);
  if (has_scale) scale_and_bias(out.onnx, y, conv.channel_scale, conv.bias, {shape[0], 1, 1});
}

}  // namespace samebits::onnx_forms
