// Nodes and graphs that several tests build, and the table of every weight kind that a package can hold.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace samebits::runtime {

/// Granularity, width and symmetry of a linear's or conv2d's weight.
struct WeightKind {
  const char* name;
  int bits;
  std::int64_t group_size;  // 0: none
  bool is_per_tensor;
  bool is_symmetric;
};
constexpr WeightKind kWeightKinds[] = {
    {"8 bits per tensor", 8, 0, true, true},         {"8 bits per channel", 8, 0, false, true},
    {"8 bits in groups", 8, 12, false, true},        {"7 bits affine per channel", 7, 0, false, false},
    {"5 bits per channel", 5, 0, false, true},       {"4 bits per channel", 4, 0, false, true},
    {"4 bits in groups", 4, 4, false, true},         {"4 bits affine in groups", 4, 8, false, false},
    {"3 bits affine per tensor", 3, 0, true, false}, {"2 bits per channel", 2, 0, false, true},
};

/// A weight of random codes over the whole range, with random scales and zero points.
inline Weight random_weight(const WeightKind& kind, const std::vector<std::int64_t>& shape,
                            std::mt19937& random) {
  Weight weight{.shape = shape, .bits = kind.bits, .group_size = kind.group_size};
  weight.qmax = (1 << (kind.bits - 1)) - 1;
  weight.qmin = kind.is_symmetric && kind.bits > 4 ? -weight.qmax : -weight.qmax - 1;
  std::int64_t depth = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) depth *= shape[i];
  std::int64_t scales = kind.is_per_tensor ? 1 : shape[0];
  if (kind.group_size != 0) scales *= (depth + kind.group_size - 1) / kind.group_size;
  std::uniform_int_distribution<int> code(weight.qmin, weight.qmax);
  std::uniform_real_distribution<float> scale(0.001f, 0.1f);
  for (std::int64_t i = 0; i < shape[0] * depth; ++i)
    weight.codes.push_back(static_cast<std::int8_t>(code(random)));
  for (std::int64_t i = 0; i < scales; ++i) weight.scale.push_back(scale(random));
  if (!kind.is_symmetric)
    for (std::int64_t i = 0; i < scales; ++i) weight.zero_point.push_back(code(random));
  return weight;
}

inline std::vector<float> random_floats(std::int64_t n, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::vector<float> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(normal(random));
  return values;
}

/// A linear or conv2d from value `input` to value "NAME.y", with an affine int8 input grid and a bias.
inline Node layer_node(Op op, const std::string& name, const std::string& input, Weight weight,
                       std::mt19937& random) {
  Node node{.op = op, .name = name, .inputs = {input}, .output = name + ".y"};
  node.input_grid = kernels::AffineGrid{.scale = 0.1f / 3.0f, .zero_point = -11, .qmin = -128, .qmax = 127};
  node.bias = random_floats(weight.shape[0], random);
  node.weight = std::move(weight);
  return node;
}

/// A node without codes, from value `input` to value "NAME.y".
inline Node plain_node(Op op, const std::string& name, std::vector<std::string> inputs, Window window = {}) {
  return {.op = op, .name = name, .inputs = std::move(inputs), .output = name + ".y", .window = window};
}

/// A graph whose value "x" of shape [-1, ...] goes through `nodes` in a row or as their inputs say.
inline Graph graph_of(std::vector<std::int64_t> input_shape, std::vector<Node> nodes) {
  std::string output = nodes.empty() ? "x" : nodes.back().output;
  return {.name = "net",
          .input = "x",
          .input_shape = std::move(input_shape),
          .output = std::move(output),
          .nodes = std::move(nodes)};
}

/// Every op once: two conv2d (one grouped) with an add, both pools, relu, flatten, and a linear of each kind.
inline Graph graph_of_everything() {
  std::mt19937 random(7);
  const WeightKind& per_channel = kWeightKinds[1];
  Node conv1 =
      layer_node(Op::kConv2d, "conv1", "x", random_weight(per_channel, {4, 3, 3, 3}, random), random);
  conv1.window.padding = {1, 1};
  Node conv2 = layer_node(Op::kConv2d, "block.conv2", "relu.y",
                          random_weight(kWeightKinds[5], {4, 2, 3, 1}, random), random);
  conv2.window = {.padding = {2, 0}, .dilation = {2, 1}, .groups = 2};
  conv2.bias.clear();
  std::vector<Node> nodes = {
      conv1,
      plain_node(Op::kRelu, "relu", {"conv1.y"}),
      conv2,
      plain_node(Op::kAdd, "add", {"block.conv2.y", "relu.y"}),
      plain_node(
          Op::kMaxPool2d, "max", {"add.y"},
          {.kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 0}, .dilation = {1, 2}, .ceil_mode = true}),
      plain_node(Op::kAvgPool2d, "avg", {"max.y"}, {.kernel = {2, 2}, .stride = {1, 1}, .padding = {0, 1}}),
      plain_node(Op::kFlatten, "flatten", {"avg.y"}),
  };
  std::string value = "flatten.y";
  std::int64_t features = 64;
  for (const WeightKind& kind : kWeightKinds) {
    const std::string name = "fc" + std::to_string(nodes.size());
    nodes.push_back(
        layer_node(Op::kLinear, name, value, random_weight(kind, {11, features}, random), random));
    value = name + ".y";
    features = 11;
  }
  return graph_of({-1, 3, 8, 6}, std::move(nodes));
}

}  // namespace samebits::runtime
