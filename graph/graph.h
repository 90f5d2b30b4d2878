// An exported model in memory: a list of nodes in execution order, with codes and scales. Torch-free. The
// package format (package.h), the interpreter (interpreter.h) and the ONNX writer (export/onnx/export_onnx.h)
// all start here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/common/affine.h"

namespace samebits::runtime {

enum class Op { kLinear, kConv2d, kRelu, kMaxPool2d, kAvgPool2d, kFlatten, kAdd };

/// A weight tensor as trained: unpacked codes with their grids. Affine weights have at most 7 bits.
struct Weight {
  std::vector<std::int64_t> shape;       // linear: [out, in]; conv2d: [out, in / groups, height, width]
  int bits = 8;                          // 2..8
  std::int32_t qmin = -127, qmax = 127;  // within the bits
  std::int64_t group_size = 0;           // 0: none; linear only
  std::vector<std::int8_t> codes;        // row-major
  std::vector<float> scale;              // 1, out, or [out][ceil(in / group_size)]
  std::vector<std::int32_t> zero_point;  // empty: symmetric; else as many as scale
};

/// Window of conv2d and of the pools; {height, width} each.
struct Window {
  std::array<std::int64_t, 2> kernel = {1, 1};  // pools; conv2d reads the weight's shape
  std::array<std::int64_t, 2> stride = {1, 1};
  std::array<std::int64_t, 2> padding = {0, 0};
  std::array<std::int64_t, 2> dilation = {1, 1};
  std::int64_t groups = 1;  // conv2d
  bool ceil_mode = false;   // max pool
};

struct Node {
  Op op = Op::kRelu;
  std::string name;                 // of the layer, or made from the op and its index; unique
  std::vector<std::string> inputs;  // names of values: the graph's input or an earlier node's output
  std::string output;               // unique
  std::optional<kernels::AffineGrid> input_grid;  // linear, conv2d: how the float input becomes codes
  std::optional<Weight> weight;                   // linear, conv2d
  std::vector<float> bias;                        // empty: none
  Window window;                                  // conv2d, pools
  std::int64_t start_dim = 1;                     // flatten: dimensions from start_dim to the last become one
};

struct Graph {
  std::string name;
  std::string input;                      // name of the one input value
  std::vector<std::int64_t> input_shape;  // -1 for the batch, which is first
  std::string output;                     // name of the one output value
  std::vector<Node> nodes;                // in execution order
};

/// The op's name in files and messages: "linear", "conv2d", "relu", "max_pool2d", "avg_pool2d", "flatten",
/// "add".
const char* op_name(Op op);

/// Whether nodes of this op have an input grid and a weight: linear and conv2d.
bool is_layer(Op op);

/// Throws std::runtime_error, naming the node, when a value is used before it is made, a name is not unique,
/// an array's size does not fit the shapes, a grid is no grid (affine.h), or the depth of a sum exceeds
/// max_depth.
void check(const Graph& graph);

}  // namespace samebits::runtime
