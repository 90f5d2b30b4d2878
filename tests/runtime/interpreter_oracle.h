// A graph run by tests/oracle.h, node by node: int64 sums, nothing of kernels/, and of runtime/ only the data
// structures. Pools count their windows and look at every place of each.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "runtime/interpreter.h"
#include "tests/oracle.h"

namespace samebits::oracle {

using runtime::Array;
using runtime::Node;
using runtime::Op;
using runtime::Window;

inline Grid input_grid(const Node& node) {
  const kernels::AffineGrid& grid = *node.input_grid;
  return {grid.scale, grid.zero_point, grid.qmin, grid.qmax};
}

inline std::vector<std::int8_t> input_codes(const Node& node, const Array& x) {
  std::vector<std::int8_t> codes;
  for (const float value : x.values) codes.push_back(static_cast<std::int8_t>(code(value, input_grid(node))));
  return codes;
}

inline Weights weights_of(const Node& node) {
  const runtime::Weight& weight = *node.weight;
  const auto depth = static_cast<std::int64_t>(weight.codes.size()) / weight.shape[0];
  return {weight.shape[0], depth, weight.group_size, weight.codes, weight.scale, weight.zero_point};
}

inline Array linear(const Node& node, const Array& x) {
  const Weights weights = weights_of(node);
  Array y{x.shape, {}};
  y.shape.back() = weights.n;
  const auto rows = static_cast<std::int64_t>(x.values.size()) / weights.k;
  y.values = linear(input_codes(node, x), rows, input_grid(node), weights, node.bias);
  return y;
}

inline Array conv2d(const Node& node, const Array& x) {
  const std::vector<std::int64_t>& weight = node.weight->shape;
  const Window& window = node.window;
  const Conv2d shape{x.shape[1],        x.shape[2],        x.shape[3],         weight[0],
                     weight[2],         weight[3],         window.stride[0],   window.stride[1],
                     window.padding[0], window.padding[1], window.dilation[0], window.dilation[1],
                     window.groups};
  return {{x.shape[0], weight[0], shape.out_height(), shape.out_width()},
          conv2d(input_codes(node, x), x.shape[0], shape, input_grid(node), weights_of(node), node.bias)};
}

/// Windows along a dimension, counted. With ceil_mode also a last one that only begins in the image or its
/// left padding, when something of the padded image is left for it.
inline std::int64_t pool_windows(std::int64_t size, const Window& window, int axis) {
  const std::int64_t span = (window.kernel[axis] - 1) * window.dilation[axis] + 1,
                     padding = window.padding[axis];
  const std::int64_t stride = window.stride[axis], end = size + padding;
  std::int64_t count = 0, first = -padding;
  for (; first + span <= end; first += stride) ++count;
  const bool is_rest = first - stride + span < end && first < size;
  return count + (window.ceil_mode && is_rest ? 1 : 0);
}

/// What a pool makes of the window at (row, column) of one plane.
inline float pool_window(const Node& node, const Array& x, const float* plane, std::int64_t row,
                         std::int64_t column) {
  const Window& window = node.window;
  const bool is_max = node.op == Op::kMaxPool2d;
  float y = is_max ? -std::numeric_limits<float>::infinity() : 0.0f;
  for (std::int64_t i = 0; i < window.kernel[0]; ++i) {
    for (std::int64_t j = 0; j < window.kernel[1]; ++j) {
      const std::int64_t in_row = row * window.stride[0] - window.padding[0] + i * window.dilation[0];
      const std::int64_t in_column = column * window.stride[1] - window.padding[1] + j * window.dilation[1];
      if (in_row < 0 || in_column < 0 || in_row >= x.shape[2] || in_column >= x.shape[3]) continue;
      const float value = plane[in_row * x.shape[3] + in_column];
      y = is_max ? std::fmax(y, value) : add(y, value);
    }
  }
  return is_max ? y : divide(y, to_float(window.kernel[0] * window.kernel[1]));
}

inline Array pool(const Node& node, const Array& x) {
  Array y{{x.shape[0], x.shape[1], pool_windows(x.shape[2], node.window, 0),
           pool_windows(x.shape[3], node.window, 1)},
          {}};
  for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane)
    for (std::int64_t row = 0; row < y.shape[2]; ++row)
      for (std::int64_t column = 0; column < y.shape[3]; ++column)
        y.values.push_back(
            pool_window(node, x, x.values.data() + plane * x.shape[2] * x.shape[3], row, column));
  return y;
}

/// One node on its inputs, which hold no NaN.
inline Array run_node(const Node& node, const std::vector<Array>& inputs) {
  Array y = inputs[0];
  switch (node.op) {
    case Op::kLinear:
      return linear(node, y);
    case Op::kConv2d:
      return conv2d(node, y);
    case Op::kMaxPool2d:
    case Op::kAvgPool2d:
      return pool(node, y);
    case Op::kRelu:
      for (float& value : y.values) value = value < 0 ? 0 : value;
      return y;
    case Op::kAdd:
      for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = add(y.values[i], inputs[1].values[i]);
      return y;
    case Op::kFlatten:
      while (std::ssize(y.shape) > node.start_dim + 1) {
        const std::int64_t last = y.shape.back();
        y.shape.pop_back();
        y.shape.back() *= last;
      }
      return y;
  }
  return {};
}

/// Every value of the graph by name.
inline std::map<std::string, Array> run(const runtime::Graph& graph, const Array& x) {
  std::map<std::string, Array> values = {{graph.input, x}};
  for (const Node& node : graph.nodes) {
    std::vector<Array> inputs;
    for (const std::string& input : node.inputs) inputs.push_back(values.at(input));
    values[node.output] = run_node(node, inputs);
  }
  return values;
}

}  // namespace samebits::oracle
