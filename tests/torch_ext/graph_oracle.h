// What a graph computes, for the tests of the exporters: the layers of tests/oracle.h, and the other ops
// written again from the numerics contract. No code of kernels/ or of the interpreter.
#pragma once

#include <algorithm>
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

inline Grid input_grid(const Node& node) {
  const kernels::AffineGrid& grid = *node.input_grid;
  return {grid.scale, grid.zero_point, grid.qmin, grid.qmax};
}

inline std::vector<std::int8_t> input_codes(const Node& node, const Array& x) {
  std::vector<std::int8_t> codes;
  for (const float value : x.values) codes.push_back(static_cast<std::int8_t>(code(value, input_grid(node))));
  return codes;
}

/// The weight as rows of one output channel each.
inline Weights weights(const Node& node) {
  const runtime::Weight& weight = *node.weight;
  const std::int64_t n = weight.shape[0], k = static_cast<std::int64_t>(weight.codes.size()) / n;
  return {n, k, weight.group_size, weight.codes, weight.scale, weight.zero_point};
}

inline Array linear(const Node& node, const Array& x) {
  Array y{x.shape, {}};
  y.shape.back() = node.weight->shape[0];
  const auto rows = static_cast<std::int64_t>(x.values.size()) / x.shape.back();
  y.values = linear(input_codes(node, x), rows, input_grid(node), weights(node), node.bias);
  return y;
}

inline Array conv2d(const Node& node, const Array& x) {
  const runtime::Window& window = node.window;
  const std::vector<std::int64_t>& weight = node.weight->shape;
  const Conv2d shape{x.shape[1],        x.shape[2],        x.shape[3],         weight[0],
                     weight[2],         weight[3],         window.stride[0],   window.stride[1],
                     window.padding[0], window.padding[1], window.dilation[0], window.dilation[1],
                     window.groups};
  return {{x.shape[0], weight[0], shape.out_height(), shape.out_width()},
          conv2d(input_codes(node, x), x.shape[0], shape, input_grid(node), weights(node), node.bias)};
}

/// Calls visit(index) for the elements under the window at `row`, `column` that lie inside the plane, row by
/// row.
template <class Visit>
void for_each_in_window(const runtime::Window& window, const Array& x, std::int64_t row, std::int64_t column,
                        Visit visit) {
  for (std::int64_t i = 0; i < window.kernel[0]; ++i) {
    for (std::int64_t j = 0; j < window.kernel[1]; ++j) {
      const std::int64_t y = row * window.stride[0] - window.padding[0] + i * window.dilation[0];
      const std::int64_t z = column * window.stride[1] - window.padding[1] + j * window.dilation[1];
      if (y >= 0 && y < x.shape[2] && z >= 0 && z < x.shape[3]) visit(y * x.shape[3] + z);
    }
  }
}

/// Positions of a pool's window along one dimension, counted one by one.
inline std::int64_t pool_positions(const runtime::Window& window, std::size_t axis, std::int64_t size) {
  const std::int64_t span = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
  const std::int64_t end = size + window.padding[axis];
  std::int64_t count = 0, at = -window.padding[axis];
  for (; at + span <= end; at += window.stride[axis]) ++count;
  // ceil_mode: one more for what is left over, if it begins before the right padding.
  const bool is_covered = at - window.stride[axis] + span == end;
  return window.ceil_mode && !is_covered && at < size ? count + 1 : count;
}

inline Array pool(const Node& node, const Array& x) {
  const bool is_max = node.op == Op::kMaxPool2d;
  const float count = to_float(node.window.kernel[0] * node.window.kernel[1]);
  Array y{{x.shape[0], x.shape[1], pool_positions(node.window, 0, x.shape[2]),
           pool_positions(node.window, 1, x.shape[3])},
          {}};
  for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
    const float* values = x.values.data() + plane * x.shape[2] * x.shape[3];
    for (std::int64_t row = 0; row < y.shape[2]; ++row) {
      for (std::int64_t column = 0; column < y.shape[3]; ++column) {
        float value = is_max ? -std::numeric_limits<float>::infinity() : 0.0f;
        for_each_in_window(node.window, x, row, column, [&](std::int64_t index) {
          value = is_max ? std::max(value, values[index]) : add(value, values[index]);
        });
        y.values.push_back(is_max ? value : add(divide(value, count), 0.0f));
      }
    }
  }
  return y;
}

inline Array flatten(const Node& node, const Array& x) {
  Array y{{x.shape.begin(), x.shape.begin() + node.start_dim}, x.values};
  std::int64_t size = 1;
  for (std::size_t axis = static_cast<std::size_t>(node.start_dim); axis < x.shape.size(); ++axis)
    size *= x.shape[axis];
  y.shape.push_back(size);
  return y;
}

inline Array run_node(const Node& node, const Array& x, const Array& other) {
  switch (node.op) {
    case Op::kLinear:
      return linear(node, x);
    case Op::kConv2d:
      return conv2d(node, x);
    case Op::kMaxPool2d:
    case Op::kAvgPool2d:
      return pool(node, x);
    case Op::kFlatten:
      return flatten(node, x);
    default:
      break;
  }
  Array y = x;
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    y.values[i] = node.op == Op::kAdd ? add(x.values[i], other.values[i])
                  : x.values[i] < 0   ? 0.0f
                                      : x.values[i];
  }
  return y;
}

inline Array run(const runtime::Graph& graph, const Array& x) {
  std::map<std::string, Array> values = {{graph.input, x}};
  for (const Node& node : graph.nodes) {
    values[node.output] = run_node(node, values.at(node.inputs.front()), values.at(node.inputs.back()));
  }
  return values.at(graph.output);
}

}  // namespace samebits::oracle
