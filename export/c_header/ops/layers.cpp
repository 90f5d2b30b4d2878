// Integer layers: constants as quant/pack.h and kernels/matmul/linear.h make them for the runtime.
#include "export/c_header/c_node.h"
#include "graph/ops/layers/conv2d.h"
#include "graph/ops/layers/linear.h"
#include "io/error.h"

namespace samebits::c_forms {
namespace {

using quant::Granularity;
using quant::QuantizedTensor;

std::int64_t group_size_of(const QuantizedTensor& weight) {
  const bool has_groups = weight.encoding.granularity == Granularity::kPerGroup;
  return has_groups ? weight.encoding.group_size : weight.row_length();
}

/// A weight as its sums see it, and what is subtracted from them.
struct Centered {
  std::vector<std::int8_t> codes;
  std::vector<std::int32_t> correction;  // [out][groups]
};

Centered centered(const QuantizedTensor& weight, const kernels::AffineGrid& x_grid) {
  const std::int64_t columns = weight.row_length(), size = group_size_of(weight);
  const std::int64_t groups = (columns + size - 1) / size;
  Centered result{{}, std::vector<std::int32_t>(static_cast<std::size_t>(weight.rows() * groups), 0)};
  for (std::int64_t i = 0; i < weight.rows() * columns; ++i) {
    const std::int64_t place = i / columns * groups + i % columns / size;
    const std::int64_t grid = weight.scale.size() == 1 ? 0 : place;
    const std::int32_t code = weight.codes[i] - (weight.zero_point.empty() ? 0 : weight.zero_point[grid]);
    result.codes.push_back(static_cast<std::int8_t>(code));
    result.correction[place] += code;
  }
  for (std::int32_t& sum : result.correction) sum *= x_grid.zero_point;
  return result;
}

/// What each sum is multiplied by: with groups [out][groups], else [out], or one where all are the same.
template <class Layer>
std::vector<float> sum_scales(const Layer& layer) {
  const QuantizedTensor& weight = layer.weight;
  const bool has_groups = weight.encoding.granularity == Granularity::kPerGroup;
  const std::span<const float> factors = factors_of(layer);
  std::vector<float> scales = weight.scale;
  if (scales.size() == 1 && !factors.empty()) scales.assign(factors.size(), weight.scale[0]);
  for (float& scale : scales) scale = has_groups ? scale : layer.input_grid.scale * scale;
  for (std::size_t i = 0; i < scales.size() && !factors.empty(); ++i)
    scales[i] = scales[i] * factors[i * factors.size() / scales.size()];
  return scales;
}

/// Writes the constants of a layer and the struct that holds them: "layer".
template <class Layer>
void write_layer(const CNode& at, const Layer& layer) {
  const QuantizedTensor& weight = layer.weight;
  const Centered constants = centered(weight, layer.input_grid);
  const std::vector<float> scale = sum_scales(layer);
  const std::string codes = at.c.array(at.name("weight"), constants.codes);
  const std::string correction = at.c.array(at.name("correction"), constants.correction);
  const std::string scales = at.c.array(at.name("scale"), scale);
  const std::string bias = layer.bias.empty() ? "0" : at.c.array(at.name("bias"), layer.bias);
  at.c.line("  static const " + at.c.prefix() + "_layer layer = {" + codes + ", " + correction + ", " +
            scales + ", " + bias + ", " + (scale.size() == 1 ? "0" : "1") + "};");
}

/// Writes the struct "target".
void write_target(const CNode& at) {
  const CValue& y = at.y();
  const std::string relu = at.step.relu ? "1" : "0";
  const std::string type = "  const " + at.c.prefix() + "_target target = {";
  if (!y.is_codes()) return at.c.line(type + y.text + ", 0, 0, " + relu + "};");
  at.c.line("  static const " + at.c.prefix() + "_grid grid = " + CText::grid(graph::input_grid(*y.reader)) +
            ";");
  at.c.line(type + "0, " + y.text + ", &grid, " + relu + "};");
}

/// What a layer's call ends with: a NaN among its codes is one of the input of who reads them.
void end_call(const CNode& at) {
  if (at.y().is_codes()) at.c.line(io::join("  if (saw_nan) return ", at.nan_result(*at.y().reader), ";"));
  at.c.line("}");
}

}  // namespace

void linear(const CNode& at) {
  const auto& linear = at.node().as<graph::Linear>();
  const std::int64_t out = linear.weight.shape[0], in = linear.weight.shape[1];
  const std::string x = at.input_codes(linear.input_grid);
  const bool has_groups = linear.weight.encoding.granularity == Granularity::kPerGroup;
  const std::string function = at.c.use(has_groups ? "linear_groups" : "linear");
  std::vector<std::int64_t> sizes = {at.x().count / in, in, out};
  if (has_groups) sizes.push_back(linear.weight.encoding.group_size);
  at.c.line("{");
  at.c.line(io::join("  static const int32_t sizes[", sizes.size(), "] = ", c_list(sizes), ";"));
  write_layer(at, linear);
  write_target(at);
  const std::string x_scale = has_groups ? c_float(linear.input_grid.scale) + ", " : "";
  at.c.line("  " + function + "(" + x + ", " + x_scale + "sizes, &layer, &target, &saw_nan);");
  end_call(at);
}

void conv2d(const CNode& at) {
  const auto& conv = at.node().as<graph::Conv2d>();
  const graph::Sizes &weight = conv.weight.shape, &x_sizes = at.x().sizes, &y_sizes = at.y().sizes;
  const std::string x = at.input_codes(conv.input_grid), function = at.c.use("conv2d");
  at.c.line("{");
  at.c.line(io::join("  static const ", at.c.prefix(), "_convolution conv = {", x_sizes[0], ", ", x_sizes[1],
                     ", ", x_sizes[2], ", ", weight[0], ", ", y_sizes[1], ", ", y_sizes[2], ", ", weight[2],
                     ", ", weight[3], ", ", c_list(conv.stride), ", ", c_list(conv.padding), ", ",
                     c_list(conv.dilation), ", ", conv.groups, "};"));
  write_layer(at, conv);
  write_target(at);
  at.c.line(io::join("  ", function, "(", x, ", ", conv.input_grid.zero_point,
                     ", &conv, &layer, &target, &saw_nan);"));
  end_call(at);
}

}  // namespace samebits::c_forms
