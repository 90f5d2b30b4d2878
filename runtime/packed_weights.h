// Weights of layers as kernels/ multiplies them, made once from what the graph holds. The one place where the
// runtime meets the kernels' own forms of a weight.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/ops/layers/conv2d.h"
#include "graph/ops/layers/linear.h"
#include "kernels/conv/conv2d.h"
#include "kernels/matmul/linear.h"

namespace samebits::runtime {

/// Values of the channels, or null where a layer has none.
const float* data_or_null(const std::vector<float>& values);

/// Where a layer writes, and what.
struct LayerOutput {
  float* floats;       // when grid is null
  std::int8_t* codes;  // else, on this grid
  const kernels::AffineGrid* grid;
  bool relu;  // max(y, 0) first
};

/// Points into the attributes, which must outlive it.
class PackedLinear {
 public:
  explicit PackedLinear(const graph::Linear& linear)
      : PackedLinear(linear.weight, linear.input_grid, linear.bias, linear.channel_scale) {}
  PackedLinear(const quant::QuantizedTensor& weight, const kernels::AffineGrid& x_grid,
               const std::vector<float>& bias, const std::vector<float>& channel_scale = {});
  std::int64_t out_features() const { return weights_.n; }
  std::int64_t in_features() const { return weights_.k; }
  /// A region of y of x_codes [m][in_features]. Returns whether a y was NaN, when it writes codes.
  bool multiply(const std::int8_t* x_codes, const LayerOutput& y, const kernels::GemmRegion& region) const;

 private:
  kernels::PackedWeight weights_;
  kernels::LayerTerms terms_;
};

/// Points into the attributes, which must outlive it.
class PackedConv2d {
 public:
  explicit PackedConv2d(const graph::Conv2d& conv);
  /// Work items [begin, end) (kernels/conv/conv2d.h). Returns as multiply().
  bool convolve(const kernels::Conv2dShape& shape, const std::int8_t* x_codes, const LayerOutput& y,
                std::int64_t begin, std::int64_t end) const;

 private:
  const kernels::AffineGrid& x_grid_;
  kernels::PackedWeight weights_;
  kernels::LayerTerms terms_;
};

}  // namespace samebits::runtime
