// Integer layers in ONNX: MatMulInteger and ConvInteger, whose sums are int32 by specification; everything
// after them is one element-wise float32 operation a rounding, in the order of the numerics contract.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "export/onnx/onnx_builder.h"
#include "kernels/common/affine.h"
#include "kernels/matmul/epilogue.h"
#include "quant/quantized_tensor.h"

namespace samebits {

// x86-64 without VNNI multiplies unsigned by signed bytes and adds two such products in 16 bits, saturating.
// The form never lets an engine get there: a pair of products that could pass this limit is unsigned by
// unsigned.
constexpr std::int64_t kPairLimit = std::numeric_limits<std::int16_t>::max();

/// A channel's own factor: 1 where the layer has none.
inline float factor_of(const std::vector<float>& channel_scale, std::size_t channel) {
  return channel_scale.empty() ? 1.0f : channel_scale[channel];
}

/// Weight codes minus their zero points, as the sums see them.
struct CenteredCodes {
  std::vector<std::int32_t> values;  // as the codes
  std::int32_t min = 0, max = 0;     // of values, and 0

  std::int64_t magnitude() const { return -min > max ? -min : max; }
};
CenteredCodes centered(const quant::QuantizedTensor& weight);

/// The factor of each output channel's sums: kernels::sum_scale. `layer` is a graph's linear or conv2d
/// without groups along its depth.
template <class Layer>
std::vector<float> channel_scales(const Layer& layer) {
  std::vector<float> scales(static_cast<std::size_t>(layer.weight.rows()));
  for (std::size_t c = 0; c < scales.size(); ++c)
    scales[c] =
        kernels::sum_scale(layer.input_grid.scale, layer.weight.scale[layer.weight.scale.size() == 1 ? 0 : c],
                           factor_of(layer.channel_scale, c));
  return scales;
}

/// Names of a layer's input codes and of their zero point.
struct CodesOfInput {
  std::string codes, zero_point;
};
/// Unsigned codes start at 0: QuantizeLinear saturates there by itself.
CodesOfInput quantize_input(OnnxBuilder& onnx, const std::string& x, const kernels::AffineGrid& grid,
                            bool is_unsigned);

/// int32 sums to float32.
std::string cast_sums(OnnxBuilder& onnx, const std::string& sums);

/// y · scales [+ bias], of `shape` each.
std::string scale_and_bias(OnnxBuilder& onnx, std::string y, std::span<const float> scales,
                           const std::vector<float>& bias, const graph::Sizes& shape);

}  // namespace samebits
