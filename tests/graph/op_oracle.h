// What each operator computes, for the tests of every layer: the layers of tests/oracle.h and
// tests/float_oracle.h, and the others written again from docs/reference/package.md. No code of kernels/ or
// of the runtime. Pools count their windows and look at every place of each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "graph/ops/elementwise/clamp.h"
#include "graph/ops/layers/conv2d.h"
#include "graph/ops/layers/float_conv2d.h"
#include "graph/ops/layers/float_linear.h"
#include "graph/ops/layers/linear.h"
#include "graph/ops/pool/avg_pool2d.h"
#include "graph/ops/pool/max_pool2d.h"
#include "graph/ops/shape/flatten.h"
#include "tests/float_oracle.h"
#include "tests/oracle.h"

namespace samebits::oracle {

using graph::FloatTensor;
using graph::Node;
using Tensors = std::vector<FloatTensor>;

inline Grid to_grid(const kernels::AffineGrid& grid) {
  return {grid.scale, grid.zero_point, grid.qmin, grid.qmax};
}

inline std::vector<std::int8_t> codes_of(const FloatTensor& x, const kernels::AffineGrid& grid) {
  std::vector<std::int8_t> codes;
  for (const float value : x.values) codes.push_back(static_cast<std::int8_t>(code(value, to_grid(grid))));
  return codes;
}

/// The weight as rows of one output channel each.
inline Weights weights_of(const quant::QuantizedTensor& weight) {
  const std::int64_t n = weight.shape[0], k = static_cast<std::int64_t>(weight.codes.size()) / n;
  return {n, k, weight.encoding.group_size, weight.codes, weight.scale, weight.zero_point};
}

template <class C>
Conv2d shape_of(const C& conv, const graph::Sizes& x, const graph::Sizes& weight) {
  return {x[1],
          x[2],
          x[3],
          weight[0],
          weight[2],
          weight[3],
          conv.stride[0],
          conv.stride[1],
          conv.padding[0],
          conv.padding[1],
          conv.dilation[0],
          conv.dilation[1],
          conv.groups};
}

inline FloatTensor run_linear(const Node& node, const Tensors& inputs) {
  const auto& linear = node.as<graph::Linear>();
  const FloatTensor& x = inputs[0];
  FloatTensor y{x.shape, {}};
  y.shape.back() = linear.weight.shape[0];
  const auto rows = static_cast<std::int64_t>(x.values.size()) / x.shape.back();
  y.values = oracle::linear(codes_of(x, linear.input_grid), rows, to_grid(linear.input_grid),
                            weights_of(linear.weight), linear.bias, linear.channel_scale);
  return y;
}

inline FloatTensor run_conv2d(const Node& node, const Tensors& inputs) {
  const auto& conv = node.as<graph::Conv2d>();
  const FloatTensor& x = inputs[0];
  const Conv2d shape = shape_of(conv, x.shape, conv.weight.shape);
  return {{x.shape[0], shape.out_channels, shape.out_height(), shape.out_width()},
          oracle::conv2d(codes_of(x, conv.input_grid), x.shape[0], shape, to_grid(conv.input_grid),
                         weights_of(conv.weight), conv.bias, conv.channel_scale)};
}

inline FloatTensor run_float_linear(const Node& node, const Tensors& inputs) {
  const auto& linear = node.as<graph::FloatLinear>();
  FloatTensor y{inputs[0].shape, {}};
  y.shape.back() = linear.weight.shape[0];
  y.values = float_linear(inputs[0].values, linear.weight.values, linear.weight.shape[0],
                          linear.weight.shape[1], linear.bias, linear.channel_scale);
  return y;
}

inline FloatTensor run_float_conv2d(const Node& node, const Tensors& inputs) {
  const auto& conv = node.as<graph::FloatConv2d>();
  const FloatTensor& x = inputs[0];
  const Conv2d shape = shape_of(conv, x.shape, conv.weight.shape);
  return {{x.shape[0], shape.out_channels, shape.out_height(), shape.out_width()},
          float_conv2d(shape, x.values, conv.weight.values, conv.bias, conv.channel_scale)};
}

/// Windows along a dimension, counted. With ceil_mode also a last one that only begins in the image or its
/// left padding, when something of the padded image is left for it.
inline std::int64_t pool_windows(const graph::MaxPool2d& pool, std::size_t axis, std::int64_t size) {
  const std::int64_t span = (pool.kernel[axis] - 1) * pool.dilation[axis] + 1, stride = pool.stride[axis];
  const std::int64_t end = size + pool.padding[axis];
  std::int64_t count = 0, first = -pool.padding[axis];
  for (; first + span <= end; first += stride) ++count;
  const bool is_rest = first - stride + span < end && first < size;
  return count + (pool.ceil_mode && is_rest ? 1 : 0);
}

/// Calls visit(element) for what the window at `row`, `column` of a plane sees, row by row.
template <class Visit>
void for_each_in_window(const graph::MaxPool2d& pool, const FloatTensor& x, std::int64_t row,
                        std::int64_t column, Visit visit) {
  for (std::int64_t i = 0; i < pool.kernel[0]; ++i)
    for (std::int64_t j = 0; j < pool.kernel[1]; ++j) {
      const std::int64_t y = row * pool.stride[0] - pool.padding[0] + i * pool.dilation[0];
      const std::int64_t z = column * pool.stride[1] - pool.padding[1] + j * pool.dilation[1];
      if (y >= 0 && y < x.shape[2] && z >= 0 && z < x.shape[3]) visit(y * x.shape[3] + z);
    }
}

/// y = finish(start folded with what each window sees).
template <class Fold, class Finish>
FloatTensor run_pool(const graph::MaxPool2d& pool, const FloatTensor& x, float start, Fold fold,
                     Finish finish) {
  FloatTensor y{
      {x.shape[0], x.shape[1], pool_windows(pool, 0, x.shape[2]), pool_windows(pool, 1, x.shape[3])}, {}};
  for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
    const float* values = x.values.data() + plane * x.shape[2] * x.shape[3];
    for (std::int64_t row = 0; row < y.shape[2]; ++row)
      for (std::int64_t column = 0; column < y.shape[3]; ++column) {
        float value = start;
        for_each_in_window(pool, x, row, column, [&](std::int64_t i) { value = fold(value, values[i]); });
        y.values.push_back(finish(value));
      }
  }
  return y;
}

inline FloatTensor run_max_pool2d(const Node& node, const Tensors& inputs) {
  return run_pool(
      node.as<graph::MaxPool2d>(), inputs[0], -std::numeric_limits<float>::infinity(),
      [](float best, float value) { return std::max(best, value); }, [](float best) { return best; });
}

/// Places of a window along a dimension: those below the end of the padded input, or those inside of it.
inline std::int64_t pool_places(const graph::AvgPool2d& pool, std::size_t axis, std::int64_t window,
                                std::int64_t size) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < pool.kernel[axis]; ++i) {
    const std::int64_t place = window * pool.stride[axis] - pool.padding[axis] + i;
    count += pool.count_include_pad ? place < size + pool.padding[axis] : place >= 0 && place < size;
  }
  return count;
}

inline FloatTensor run_avg_pool2d(const Node& node, const Tensors& inputs) {
  const auto& pool = node.as<graph::AvgPool2d>();
  FloatTensor y = run_pool(
      {pool.kernel, pool.stride, pool.padding, {1, 1}, pool.ceil_mode}, inputs[0], 0.0f,
      [](float sum, float value) { return add(sum, value); }, [](float sum) { return sum; });
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i);
    const std::int64_t rows = pool_places(pool, 0, place / y.shape[3] % y.shape[2], inputs[0].shape[2]),
                       columns = pool_places(pool, 1, place % y.shape[3], inputs[0].shape[3]);
    y.values[i] = add(divide(y.values[i], to_float(rows * columns)), 0.0f);
  }
  return y;
}

inline FloatTensor run_flatten(const Node& node, const Tensors& inputs) {
  FloatTensor y = inputs[0];
  while (std::ssize(y.shape) > node.as<graph::Flatten>().start_dim + 1) {
    const std::int64_t last = y.shape.back();
    y.shape.pop_back();
    y.shape.back() *= last;
  }
  return y;
}

inline FloatTensor run_relu(const Node&, const Tensors& inputs) {
  FloatTensor y = inputs[0];
  for (float& value : y.values) value = value < 0 ? 0 : value;
  return y;
}

inline FloatTensor run_clamp(const Node& node, const Tensors& inputs) {
  const auto& clamp = node.as<graph::Clamp>();
  FloatTensor y = inputs[0];
  for (float& value : y.values) value = std::fmin(std::fmax(value, clamp.low), clamp.high);
  return y;
}

/// What the batch and the sequence are in the run() that calls the oracles.
inline graph::SymbolValues& symbols() {
  static graph::SymbolValues values = {};
  return values;
}

/// Places along each dimension of an element of a row-major array.
inline std::vector<std::int64_t> places_of(std::int64_t element, const graph::Sizes& sizes) {
  std::vector<std::int64_t> places(sizes.size());
  for (std::size_t d = sizes.size(); d-- > 0; element /= sizes[d]) places[d] = element % sizes[d];
  return places;
}

/// The element at these places; where a dimension has one element, that one; dimensions in front that are
/// missing do not count.
inline float at(const FloatTensor& x, const std::vector<std::int64_t>& places) {
  std::int64_t element = 0;
  const std::size_t added = places.size() - x.shape.size();
  for (std::size_t d = 0; d < x.shape.size(); ++d)
    element = element * x.shape[d] + (x.shape[d] == 1 ? 0 : places[added + d]);
  return x.values[static_cast<std::size_t>(element)];
}

/// y of this shape, whose elements are value(places).
template <class Value>
FloatTensor tensor_of(const graph::Sizes& shape, const Value& value) {
  FloatTensor y{shape, {}};
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  for (std::int64_t i = 0; i < count; ++i) y.values.push_back(value(places_of(i, shape)));
  return y;
}

}  // namespace samebits::oracle
