#include "runtime/packed_weights.h"

#include "quant/pack.h"

namespace samebits::runtime {

const float* data_or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

PackedLinear::PackedLinear(const quant::QuantizedTensor& weight, const kernels::AffineGrid& x_grid,
                           const std::vector<float>& bias, const std::vector<float>& channel_scale)
    : weights_(quant::pack(weight, quant::linear_order(weight.encoding))),
      terms_(kernels::layer_terms(weights_, x_grid, data_or_null(bias), data_or_null(channel_scale))) {}

bool PackedLinear::multiply(const std::int8_t* x_codes, const LayerOutput& y,
                            const kernels::GemmRegion& region) const {
  if (y.grid != nullptr)
    return kernels::linear_codes(weights_, terms_, x_codes, *y.grid, y.codes, region, y.relu);
  kernels::linear(weights_, terms_, x_codes, y.floats, region, y.relu);
  return false;
}

PackedConv2d::PackedConv2d(const graph::Conv2d& conv)
    : x_grid_(conv.input_grid),
      weights_(quant::pack(conv.weight, kernels::WeightOrder::kRows)),
      terms_(kernels::layer_terms(weights_, conv.input_grid, data_or_null(conv.bias),
                                  data_or_null(conv.channel_scale))) {}

bool PackedConv2d::convolve(const kernels::Conv2dShape& shape, const std::int8_t* x_codes,
                            const LayerOutput& y, std::int64_t begin, std::int64_t end) const {
  kernels::Conv2dOutput output{.data = y.floats, .relu = y.relu};
  if (y.grid != nullptr)
    output = {.type = kernels::GemmOutput::kCodes, .data = y.codes, .relu = y.relu, .grid = *y.grid};
  return kernels::conv2d(weights_, terms_, shape, x_grid_, x_codes, output, begin, end);
}

}  // namespace samebits::runtime
