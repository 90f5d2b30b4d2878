// Random graphs and inputs for the tests of the exporters: the same for the same seed. Codes and inputs crowd
// at the edges of their ranges and at rounding ties, where implementations differ first.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/graph/op_cases.h"

namespace samebits {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// Uniform in [low, high].
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  /// Uniform in [low, high), 24 bits.
  float real(float low, float high) {
    return low + (high - low) * static_cast<float>(engine_() >> 40) * 0x1p-24f;
  }
  bool one_in(std::int64_t n) { return integer(1, n) == 1; }

 private:
  std::mt19937_64 engine_;
};

using quant::Granularity;

/// How the weights and the input of a layer are quantized.
struct Scheme {
  int weight_bits = 8;
  Granularity granularity = Granularity::kPerChannel;
  std::int64_t group_size = 0;
  bool is_affine = false;  // weight
  bool is_narrow = true;   // weight range without its smallest code
  std::int32_t x_qmin = -128, x_qmax = 127;
  bool has_bias = true;
};

inline kernels::AffineGrid random_grid(Random& random, std::int32_t qmin, std::int32_t qmax) {
  // A power of two every other time: only then can an input be an exact tie.
  const float scale = random.one_in(2) ? 0x1p-5f : random.real(0.01f, 0.1f);
  return {scale, static_cast<std::int32_t>(random.integer(qmin, qmax)), qmin, qmax};
}

inline quant::QuantizedTensor random_weight(Random& random, const Scheme& scheme, const graph::Sizes& shape) {
  quant::QuantizedTensor weight;
  weight.shape = shape;
  quant::Encoding& encoding = weight.encoding;
  encoding.bits = scheme.weight_bits;
  encoding.qmax = (1 << (scheme.weight_bits - 1)) - 1;
  encoding.qmin = scheme.is_narrow ? -encoding.qmax : -encoding.qmax - 1;
  encoding.symmetric = !scheme.is_affine;
  encoding.granularity = scheme.granularity;
  encoding.group_size = scheme.granularity == Granularity::kPerGroup ? scheme.group_size : 0;
  const std::int64_t depth = weight.row_length();
  for (std::int64_t i = 0; i < shape[0] * depth; ++i) {
    const bool is_edge = random.one_in(2);
    const std::int64_t code = is_edge ? (random.one_in(4) ? encoding.qmin : encoding.qmax)
                                      : random.integer(encoding.qmin, encoding.qmax);
    weight.codes.push_back(static_cast<std::int8_t>(code));
  }
  for (std::int64_t i = 0; i < quant::scale_count(encoding, shape[0], depth); ++i) {
    weight.scale.push_back(random.real(0.001f, 0.05f));
    if (scheme.is_affine)
      weight.zero_point.push_back(static_cast<std::int32_t>(random.integer(encoding.qmin, encoding.qmax)));
  }
  return weight;
}

/// A graph whose values are named "x", "value_0", "value_1", … in order.
class GraphBuilder {
 public:
  GraphBuilder(std::string name, std::uint64_t seed, const graph::Sizes& image_shape)
      : random(seed), graph(graph::graph_of(image_shape, {})) {
    graph.name = std::move(name);
  }

  /// Adds a node that reads the last value (and `other`, when given). Returns its output.
  template <class A>
  std::string add(A attributes, const std::string& other = "") {
    const std::string index = std::to_string(graph.nodes.size());
    std::vector<std::string> inputs = graph.outputs;
    if (!other.empty()) inputs.push_back(other);
    graph.nodes.push_back(graph::make_node(std::string(A::kName) + "_" + index, std::move(attributes),
                                           std::move(inputs), "value_" + index));
    graph.outputs = graph.nodes.back().outputs;
    return graph.outputs[0];
  }

  std::string add_linear(const Scheme& scheme, const graph::Sizes& weight_shape) {
    graph::Linear linear;
    fill(linear, scheme, weight_shape);
    return add(std::move(linear));
  }
  /// `window`: stride, padding, dilation and groups of it are taken.
  std::string add_conv2d(const Scheme& scheme, const graph::Sizes& weight_shape, graph::Conv2d window = {}) {
    fill(window, scheme, weight_shape);
    return add(std::move(window));
  }
  graph::Linear& linear() { return graph.nodes.back().as<graph::Linear>(); }

  Random random;
  graph::Graph graph;

 private:
  template <class Layer>
  void fill(Layer& layer, const Scheme& scheme, const graph::Sizes& weight_shape) {
    layer.input_grid = random_grid(random, scheme.x_qmin, scheme.x_qmax);
    layer.weight = random_weight(random, scheme, weight_shape);
    for (std::int64_t c = 0; scheme.has_bias && c < weight_shape[0]; ++c)
      layer.bias.push_back(random.real(-1.0f, 1.0f));
  }
};

/// Inputs of `batch` images. A graph that begins with a quantized layer also gets ties of its grid, values
/// far outside it, infinities and denormals; one that does not gets finite values.
inline graph::FloatTensor random_input(Random& random, const graph::Graph& graph, std::int64_t batch) {
  const graph::Node& first = graph.nodes.front();
  const bool has_grid = graph::is_layer(first);
  const float scale = has_grid ? graph::input_grid(first).scale : 0.05f;
  const float infinity = std::numeric_limits<float>::infinity();
  const float rare[] = {infinity, -infinity, 3e38f, -3e38f, 0x1p-149f, -0x1p-149f, 0.0f, -0.0f};
  graph::FloatTensor x{graph::sizes_at(graph.inputs[0].type.shape, {batch, 1}), {}};
  std::int64_t count = 1;
  for (const std::int64_t size : x.shape) count *= size;
  for (std::int64_t i = 0; i < count; ++i) {
    const float tie = (static_cast<float>(random.integer(-300, 300)) + 0.5f) * scale;
    const bool is_rare = has_grid && random.one_in(50);
    x.values.push_back(is_rare            ? rare[random.integer(0, 7)]
                       : random.one_in(3) ? tie
                                          : random.real(-300.0f, 300.0f) * scale);
  }
  return x;
}

}  // namespace samebits
