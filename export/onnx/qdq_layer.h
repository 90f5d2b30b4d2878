// Integer layers as QDQ: QuantizeLinear and DequantizeLinear of the input, DequantizeLinear of weight codes
// and of an int32 bias, around a float operator. The integers are those of the graph; what an engine does
// with them is its own choice (docs/reference/onnx.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "export/onnx/onnx_node.h"
#include "kernels/common/affine.h"
#include "quant/quantized_tensor.h"

namespace samebits {

/// [Clip →] QuantizeLinear → DequantizeLinear of x, INT8 with the zero point of the grid. The Clip, on grids
/// narrower than 8 bits, bounds the reals: the nearest code of a bound is the bound's own.
std::string fake_quantized(OnnxBuilder& onnx, const std::string& x, const kernels::AffineGrid& grid);

/// Whether QDQ stores a weight as INT4: of at most 4 bits, and for TensorRT in groups. Without groups a
/// linear layer's depth must be even: OpenVINO 2026.4 computes wrong products of packed rows that end within
/// a byte.
bool is_stored_as_int4(const quant::QuantizedTensor& weight, OnnxStyle style);

/// A weight's integers and scales when the factor of a channel (docs/numerics.md §13) is part of its scale. A
/// negative factor negates the codes of its channel, so that scales stay positive; where one has no negative
/// in what is stored, each code q becomes qmin + qmax - q, zero point and all.
struct QdqWeight {
  std::vector<std::int32_t> codes;  // as the tensor's
  std::vector<float> scale;         // 1, [out] or [out][groups]; [out] where channels have factors
  std::vector<std::int32_t>
      zero_point;  // as many as scales; 0 of symmetric codes, but of such as have no negative
};
QdqWeight qdq_weight(const quant::QuantizedTensor& weight, const std::vector<float>& channel_scale,
                     OnnxStyle style);

/// Bias codes on steps of input scale · weight scale, one of each channel; nothing where their sum with the
/// products could leave int32.
std::optional<std::vector<std::int32_t>> bias_codes(const std::vector<float>& bias,
                                                    std::span<const float> steps,
                                                    std::int64_t largest_product_sum);

/// [out, …], or [in, out].
enum class QdqLayout { kChannelFirst, kChannelLast };

/// DequantizeLinear of the integers in the layout, in blocks where they have groups, which want
/// kChannelLast. Blocks are whole, as OpenVINO wants them: a last group that is short is filled up, and a
/// Slice cuts the rest off.
std::string dequantized_weight(const OnnxNode& out, const quant::QuantizedTensor& tensor,
                               const QdqWeight& weight, QdqLayout layout);

/// The float32 input that is the bias: dequantized from int32, or for TensorRT and where `codes` is nothing a
/// constant.
std::string dequantized_bias(const OnnxNode& out, const std::vector<float>& bias,
                             std::span<const float> steps, std::int64_t largest_product_sum);

/// The constants of a graph's linear or conv2d.
template <class Layer>
class QdqLayer {
 public:
  QdqLayer(const OnnxNode& out, const Layer& layer)
      : out_(out), layer_(layer), weight_(qdq_weight(layer.weight, layer.channel_scale, out.style)) {}

  std::string weight(QdqLayout layout) const {
    return dequantized_weight(out_, layer_.weight, weight_, layout);
  }

  /// Of a layer without groups that has one.
  std::string bias() const {
    std::vector<float> steps(layer_.bias.size());
    for (std::size_t c = 0; c < steps.size(); ++c)
      steps[c] = layer_.input_grid.scale * weight_.scale[weight_.scale.size() == 1 ? 0 : c];
    const std::int64_t x_span = layer_.input_grid.qmax - layer_.input_grid.qmin;
    return dequantized_bias(out_, layer_.bias, steps,
                            layer_.weight.row_length() * x_span * layer_.weight.encoding.max_magnitude());
  }

 private:
  const OnnxNode& out_;
  const Layer& layer_;
  QdqWeight weight_;
};

}  // namespace samebits
