#include "graph/ops/lookup/quantized_embedding.h"

#include "export/onnx/integer_layer.h"
#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void quantized_embedding(const OnnxNode& out) {
  const quant::QuantizedTensor& weight = out.node.as<graph::QuantizedEmbedding>().weight;
  const std::vector<std::int32_t> values(weight.codes.begin(), weight.codes.end());
  const std::string codes = out.onnx.codes("weight", values, 0, /*is_unsigned=*/false, weight.shape);
  const std::string rows = out.onnx.add("Gather", {codes, out.x()}, "codes");
  const std::string scale = out.onnx.constant("weight_scale", weight.scale, {weight.shape[0], 1});
  out.onnx.add("Mul", {cast_sums(out.onnx, rows), out.onnx.add("Gather", {scale, out.x()}, "scale")}, "rows");
}

}  // namespace samebits::onnx_forms
