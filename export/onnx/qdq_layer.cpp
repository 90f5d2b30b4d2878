#include "export/onnx/qdq_layer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "export/onnx/integer_layer.h"

namespace samebits {
namespace {

using quant::Granularity;

/// Rows of `columns` values as columns.
template <class T>
std::vector<T> transposed(const std::vector<T>& values, std::size_t columns) {
  const std::size_t rows = values.size() / columns;
  std::vector<T> result(values.size());
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t column = 0; column < columns; ++column)
      result[column * rows + row] = values[row * columns + column];
  return result;
}

/// Rows of `columns` values, each filled up by zeros.
std::vector<std::int32_t> filled_up(const std::vector<std::int32_t>& values, std::int64_t columns,
                                    std::int64_t to_columns) {
  const std::int64_t rows = static_cast<std::int64_t>(values.size()) / columns;
  std::vector<std::int32_t> result(static_cast<std::size_t>(rows * to_columns));
  for (std::int64_t row = 0; row < rows; ++row)
    std::copy_n(values.begin() + row * columns, columns, result.begin() + row * to_columns);
  return result;
}

/// What DequantizeLinear takes.
struct StoredWeight {
  std::string codes, scale, zero_point;
};

StoredWeight stored_weight(const OnnxNode& out, const QdqWeight& weight, bool is_int4,
                           const graph::Sizes& shape, const graph::Sizes& scale_shape) {
  const auto codes = [&](const char* what, const std::vector<std::int32_t>& values,
                         const graph::Sizes& sizes) {
    return is_int4 ? out.onnx.int4_codes(what, values, sizes) : out.onnx.codes(what, values, 0, false, sizes);
  };
  return {codes("weight", weight.codes, shape), out.onnx.constant("weight_scale", weight.scale, scale_shape),
          codes("weight_zero_point", weight.zero_point, scale_shape)};
}

/// [in, out] in blocks.
std::string dequantized_blocks(const OnnxNode& out, const quant::QuantizedTensor& tensor,
                               const QdqWeight& weight) {
  const std::int64_t rows = tensor.rows(), length = tensor.row_length(),
                     group_size = tensor.encoding.group_size;
  const std::int64_t groups = quant::groups_per_row(tensor.encoding, length), whole = groups * group_size;
  const QdqWeight laid{transposed(filled_up(weight.codes, length, whole), static_cast<std::size_t>(whole)),
                       transposed(weight.scale, static_cast<std::size_t>(groups)),
                       transposed(weight.zero_point, static_cast<std::size_t>(groups))};
  const auto [codes, scale, zero_point] =
      stored_weight(out, laid, is_stored_as_int4(tensor, out.style), {whole, rows}, {groups, rows});
  const std::string real = out.onnx.add("DequantizeLinear", {codes, scale, zero_point}, "weight_on_grid");
  out.onnx.set("axis", 0);
  out.onnx.set("block_size", group_size);
  if (whole == length) return real;
  return out.onnx.add("Slice",
                      {real, out.onnx.constant("begin", 0), out.onnx.constant("end", length),
                       out.onnx.constant("depth_axis", 0)},
                      "weight_cut_off");
}

}  // namespace

std::string fake_quantized(OnnxBuilder& onnx, const std::string& x, const kernels::AffineGrid& grid) {
  std::string bounded = x;
  if (grid.qmax - grid.qmin < 255) {
    const float low = kernels::dequantize(grid.qmin, grid), high = kernels::dequantize(grid.qmax, grid);
    bounded =
        onnx.add("Clip", {x, onnx.constant("x_low", {&low, 1}, {}), onnx.constant("x_high", {&high, 1}, {})},
                 "x_clipped");
  }
  const std::string scale = onnx.constant("x_scale", {&grid.scale, 1}, {});
  const std::string zero_point = onnx.codes("x_zero_point", {&grid.zero_point, 1}, 0, false, {});
  const std::string codes = onnx.add("QuantizeLinear", {bounded, scale, zero_point}, "x_codes");
  return onnx.add("DequantizeLinear", {codes, scale, zero_point}, "x_on_grid");
}

bool is_stored_as_int4(const quant::QuantizedTensor& weight, OnnxStyle style) {
  const bool has_groups = weight.encoding.granularity == Granularity::kPerGroup;
  const bool ends_within_a_byte = weight.shape.size() == 2 && weight.shape[1] % 2 != 0;
  return weight.encoding.bits <= 4 && (has_groups || (style != OnnxStyle::kTensorrt && !ends_within_a_byte));
}

QdqWeight qdq_weight(const quant::QuantizedTensor& weight, const std::vector<float>& channel_scale,
                     OnnxStyle style) {
  QdqWeight result{{weight.codes.begin(), weight.codes.end()}, weight.scale, weight.zero_point};
  result.zero_point.resize(result.scale.size());
  if (channel_scale.empty()) return result;
  const auto rows = static_cast<std::size_t>(weight.rows());
  if (result.scale.size() == 1) {
    result.scale.assign(rows, result.scale[0]);
    result.zero_point.assign(rows, result.zero_point[0]);
  }
  const std::size_t length = result.codes.size() / rows, scales = result.scale.size() / rows;
  const std::int32_t most = is_stored_as_int4(weight, style) ? 7 : 127;
  for (std::size_t c = 0; c < rows; ++c) {
    const std::span<float> scale(&result.scale[c * scales], scales);
    for (float& each : scale) each *= std::abs(channel_scale[c]);
    if (!std::signbit(channel_scale[c])) continue;
    const std::span<const std::int32_t> codes(&result.codes[c * length], length);
    const bool has_negatives = weight.encoding.symmetric &&
                               std::ranges::all_of(codes, [&](std::int32_t code) { return code >= -most; });
    const std::int32_t ends = has_negatives ? 0 : weight.encoding.qmin + weight.encoding.qmax;
    const auto turn = [&](std::vector<std::int32_t>& values, std::size_t count) {
      for (std::size_t i = c * count; i < (c + 1) * count; ++i) values[i] = ends - values[i];
    };
    turn(result.codes, length);
    turn(result.zero_point, scales);
  }
  return result;
}

std::optional<std::vector<std::int32_t>> bias_codes(const std::vector<float>& bias,
                                                    std::span<const float> steps,
                                                    std::int64_t largest_product_sum) {
  const double room = static_cast<double>(std::numeric_limits<std::int32_t>::max()) -
                      static_cast<double>(largest_product_sum);
  std::vector<std::int32_t> codes;
  for (std::size_t c = 0; c < bias.size(); ++c) {
    const double code = std::rint(static_cast<double>(bias[c]) / static_cast<double>(steps[c]));
    if (!(std::abs(code) <= room)) return std::nullopt;
    codes.push_back(static_cast<std::int32_t>(code));
  }
  return codes;
}

std::string dequantized_weight(const OnnxNode& out, const quant::QuantizedTensor& tensor,
                               const QdqWeight& weight, QdqLayout layout) {
  if (tensor.encoding.granularity == Granularity::kPerGroup) return dequantized_blocks(out, tensor, weight);
  const bool is_last = layout == QdqLayout::kChannelLast;
  const std::int64_t rows = tensor.rows(), length = tensor.row_length();
  const bool is_one = weight.scale.size() == 1 && rows > 1;  // of the tensor
  QdqWeight laid = weight;
  if (is_last) laid.codes = transposed(weight.codes, static_cast<std::size_t>(length));
  const auto [codes, scale, zero_point] = stored_weight(out, laid, is_stored_as_int4(tensor, out.style),
                                                        is_last ? graph::Sizes{length, rows} : tensor.shape,
                                                        is_one ? graph::Sizes{} : graph::Sizes{rows});
  const std::string real = out.onnx.add("DequantizeLinear", {codes, scale, zero_point}, "weight_on_grid");
  if (!is_one) out.onnx.set("axis", is_last ? 1 : 0);
  return real;
}

std::string dequantized_bias(const OnnxNode& out, const std::vector<float>& bias,
                             std::span<const float> steps, std::int64_t largest_product_sum) {
  const graph::Sizes shape = {static_cast<std::int64_t>(bias.size())};
  const auto codes = bias_codes(bias, steps, largest_product_sum);
  if (out.style == OnnxStyle::kTensorrt || !codes.has_value()) return out.onnx.constant("bias", bias, shape);
  const std::vector<std::int32_t> zeros(bias.size());
  const std::string real = out.onnx.add(
      "DequantizeLinear",
      {out.onnx.int32_values("bias", *codes, shape), out.onnx.constant("bias_scale", steps, shape),
       out.onnx.int32_values("bias_zero_point", zeros, shape)},
      "bias_on_grid");
  out.onnx.set("axis", 0);
  return real;
}

}  // namespace samebits
