// Nodes and graphs that several tests build, and the table of every weight kind that a package can hold.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/operator.h"
#include "graph/ops/elementwise/add.h"
#include "graph/ops/elementwise/relu.h"
#include "graph/ops/layers/conv2d.h"
#include "graph/ops/layers/float_conv2d.h"
#include "graph/ops/layers/float_linear.h"
#include "graph/ops/layers/linear.h"
#include "graph/ops/pool/avg_pool2d.h"
#include "graph/ops/pool/max_pool2d.h"
#include "graph/ops/shape/flatten.h"

namespace samebits::graph {

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

inline quant::Granularity granularity_of(bool is_per_tensor, std::int64_t group_size) {
  if (group_size != 0) return quant::Granularity::kPerGroup;
  return is_per_tensor ? quant::Granularity::kPerTensor : quant::Granularity::kPerChannel;
}

/// A weight of random codes over the whole range, with random scales and zero points.
inline quant::QuantizedTensor random_weight(const WeightKind& kind, const Sizes& shape,
                                            std::mt19937& random) {
  quant::QuantizedTensor weight;
  weight.shape = shape;
  quant::Encoding& encoding = weight.encoding;
  encoding = {.bits = kind.bits,
              .qmin = 0,
              .qmax = (1 << (kind.bits - 1)) - 1,
              .symmetric = kind.is_symmetric,
              .granularity = granularity_of(kind.is_per_tensor, kind.group_size),
              .group_size = kind.group_size};
  encoding.qmin = kind.is_symmetric && kind.bits > 4 ? -encoding.qmax : -encoding.qmax - 1;
  const std::int64_t depth = weight.row_length(), scales = quant::scale_count(encoding, shape[0], depth);
  std::uniform_int_distribution<int> code(encoding.qmin, encoding.qmax);
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

/// Factors of n channels, of either sign; the first is 0.
inline std::vector<float> random_factors(std::int64_t n, std::mt19937& random) {
  std::vector<float> factors = random_floats(n, random);
  factors[0] = 0.0f;
  return factors;
}

inline FloatTensor random_tensor(const Sizes& shape, std::mt19937& random) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return {shape, random_floats(count, random)};
}

constexpr kernels::AffineGrid kInputGrid{.scale = 0.1f / 3.0f, .zero_point = -11, .qmin = -128, .qmax = 127};

inline Linear random_linear(const WeightKind& kind, std::int64_t out, std::int64_t in, std::mt19937& random) {
  Linear linear{kInputGrid, random_weight(kind, {out, in}, random), {}};
  linear.bias = random_floats(out, random);
  return linear;
}
inline Conv2d random_conv(const WeightKind& kind, const Sizes& shape, std::mt19937& random) {
  Conv2d conv{.weight = random_weight(kind, shape, random)};
  conv.input_grid = kInputGrid;
  conv.bias = random_floats(shape[0], random);
  return conv;
}

/// A node of that name from value `input` to value "NAME.y".
template <class A>
Node node_of(const std::string& name, A attributes, std::vector<std::string> inputs) {
  return make_node(name, std::move(attributes), std::move(inputs), name + ".y");
}

/// A graph whose value "x" of shape [batch, image...] goes through `nodes` in a row or as their inputs say.
inline Graph graph_of(const Sizes& image, std::vector<Node> nodes) {
  TensorType type{Dtype::kFloat32, {kBatch}};
  type.shape.insert(type.shape.end(), image.begin(), image.end());
  std::string output = nodes.empty() ? "x" : nodes.back().outputs[0];
  return {.name = "net", .inputs = {{"x", type}}, .outputs = {std::move(output)}, .nodes = std::move(nodes)};
}

/// Every kind of layer and every branch: two conv2d (one grouped) with an add, both pools, relu, flatten, a
/// linear of each kind, and float layers between them. Two inputs and two outputs.
inline Graph graph_of_everything() {
  std::mt19937 random(7);
  Conv2d conv1 = random_conv(kWeightKinds[1], {4, 3, 3, 3}, random);
  conv1.padding = {1, 1};
  Conv2d conv2 = random_conv(kWeightKinds[5], {4, 2, 3, 1}, random);
  conv2.padding = {2, 0};
  conv2.dilation = {2, 1};
  conv2.groups = 2;
  conv2.bias.clear();
  FloatConv2d conv3{
      .weight = random_tensor({4, 2, 1, 1}, random), .bias = random_floats(4, random), .groups = 2};
  const MaxPool2d max{{3, 2}, {2, 2}, {1, 0}, {1, 2}, true};
  std::vector<Node> nodes = {
      node_of("conv1", conv1, {"x"}),
      node_of("relu", Relu{}, {"conv1.y"}),
      node_of("block.conv2", conv2, {"relu.y"}),
      node_of("add", Add{}, {"block.conv2.y", "relu.y"}),
      node_of("conv3", conv3, {"add.y"}),
      node_of("max", max, {"conv3.y"}),
      node_of("avg", AvgPool2d{{2, 2}, {1, 1}, {0, 1}}, {"max.y"}),
      node_of("flatten", Flatten{}, {"avg.y"}),
      node_of("both", Add{}, {"flatten.y", "z"}),
  };
  nodes[2].scope = "block";
  std::string value = "both.y";
  std::int64_t features = 64;
  for (const WeightKind& kind : kWeightKinds) {
    const std::string name = "fc" + std::to_string(nodes.size());
    nodes.push_back(node_of(name, random_linear(kind, 11, features, random), {value}));
    value = name + ".y";
    features = 11;
  }
  nodes.push_back(node_of("last", FloatLinear{random_tensor({5, 11}, random), {}}, {value}));
  Graph graph = graph_of({3, 8, 6}, std::move(nodes));
  graph.inputs.push_back({"z", {Dtype::kFloat32, {kBatch, 64}}});
  graph.outputs.push_back("add.y");
  return graph;
}

}  // namespace samebits::graph
