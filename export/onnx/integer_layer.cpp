#include "export/onnx/integer_layer.h"

#include <algorithm>
#include <cmath>

#include "export/onnx/onnx_node.h"

namespace samebits {

CenteredCodes centered(const quant::QuantizedTensor& weight) {
  CenteredCodes result;
  const std::int64_t rows = weight.rows(), columns = weight.row_length();
  const bool has_groups = weight.encoding.granularity == quant::Granularity::kPerGroup;
  const std::int64_t group_size = has_groups ? weight.encoding.group_size : columns;
  const std::int64_t groups = quant::groups_per_row(weight.encoding, columns);
  const auto zero_point = [&](std::int64_t i) {
    if (weight.zero_point.empty()) return 0;
    if (weight.zero_point.size() == 1) return weight.zero_point[0];
    return weight.zero_point[i / columns * groups + i % columns / group_size];
  };
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const std::int32_t value = weight.codes[i] - zero_point(i);
    result.values.push_back(value);
    result.min = std::min(result.min, value);
    result.max = std::max(result.max, value);
  }
  return result;
}

CodesOfInput quantize_input(OnnxBuilder& onnx, const std::string& x, const kernels::AffineGrid& grid,
                            bool is_unsigned) {
  const std::int32_t offset = is_unsigned ? -grid.qmin : 0;
  const auto code = [&](const char* what, std::int32_t value) {
    return onnx.codes(what, {&value, 1}, offset, is_unsigned, {});
  };
  const std::string scale = onnx.constant("x_scale", {&grid.scale, 1}, {});
  const std::string zero_point = code("x_zero_point", grid.zero_point);
  std::string codes = onnx.add("QuantizeLinear", {x, scale, zero_point}, "x_codes");
  if (grid.qmax - grid.qmin < 255)
    codes = onnx.add("Clip", {codes, code("qmin", grid.qmin), code("qmax", grid.qmax)}, "x_clipped");
  return {codes, zero_point};
}

std::string cast_sums(OnnxBuilder& onnx, const std::string& sums) {
  const std::string real = onnx.add("Cast", {sums}, "sums_float");
  onnx.set("to", onnx::TensorProto::FLOAT);
  return real;
}

std::string scale_and_bias(OnnxBuilder& onnx, std::string y, std::span<const float> scales,
                           const std::vector<float>& bias, const graph::Sizes& shape) {
  y = onnx.add("Mul", {y, onnx.constant("scale", scales, scales.size() == 1 ? graph::Sizes{} : shape)},
               "scaled");
  if (bias.empty()) return y;
  if (bias == std::vector<float>{0.0f} && !std::signbit(bias[0])) return add_zero(onnx, y);
  return onnx.add("Add", {y, onnx.constant("bias", bias, shape)}, "biased");
}

}  // namespace samebits
