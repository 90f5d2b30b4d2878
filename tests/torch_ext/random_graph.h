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

#include "graph/graph.h"
#include "runtime/interpreter.h"

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

enum class Granularity { kTensor, kChannel, kGroup };

/// How the weights and the input of a layer are quantized.
struct Scheme {
  int weight_bits = 8;
  Granularity granularity = Granularity::kChannel;
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

inline runtime::Weight random_weight(Random& random, const Scheme& scheme, std::vector<std::int64_t> shape) {
  runtime::Weight weight;
  weight.bits = scheme.weight_bits;
  weight.qmax = (1 << (scheme.weight_bits - 1)) - 1;
  weight.qmin = scheme.is_narrow ? -weight.qmax : -weight.qmax - 1;
  weight.group_size = scheme.granularity == Granularity::kGroup ? scheme.group_size : 0;
  std::int64_t depth = 1;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) depth *= shape[axis];
  for (std::int64_t i = 0; i < shape[0] * depth; ++i) {
    const bool is_edge = random.one_in(2);
    const std::int64_t code =
        is_edge ? (random.one_in(4) ? weight.qmin : weight.qmax) : random.integer(weight.qmin, weight.qmax);
    weight.codes.push_back(static_cast<std::int8_t>(code));
  }
  std::int64_t grids = scheme.granularity == Granularity::kTensor ? 1 : shape[0];
  if (weight.group_size != 0) grids *= (depth + weight.group_size - 1) / weight.group_size;
  for (std::int64_t i = 0; i < grids; ++i) {
    weight.scale.push_back(random.real(0.001f, 0.05f));
    if (scheme.is_affine) {
      weight.zero_point.push_back(static_cast<std::int32_t>(random.integer(weight.qmin, weight.qmax)));
    }
  }
  weight.shape = std::move(shape);
  return weight;
}

/// A graph whose values are named "x", "value_0", "value_1", … in order.
class GraphBuilder {
 public:
  GraphBuilder(std::string name, std::uint64_t seed, std::vector<std::int64_t> image_shape) : random(seed) {
    graph.name = std::move(name);
    graph.input = graph.output = "x";
    graph.input_shape = std::move(image_shape);
    graph.input_shape.insert(graph.input_shape.begin(), -1);
  }

  /// Adds a node that reads the last value (and `other`, when given). Returns its output.
  std::string add(runtime::Op op, const runtime::Window& window = {}, const std::string& other = "",
                  std::int64_t start_dim = 1) {
    runtime::Node node;
    node.op = op;
    node.name = runtime::op_name(op) + std::string("_") + std::to_string(graph.nodes.size());
    node.inputs = {graph.output};
    if (!other.empty()) node.inputs.push_back(other);
    node.output = graph.output = "value_" + std::to_string(graph.nodes.size());
    node.window = window;
    node.start_dim = start_dim;
    graph.nodes.push_back(node);
    return graph.output;
  }

  std::string add_layer(runtime::Op op, const Scheme& scheme, const std::vector<std::int64_t>& weight_shape,
                        const runtime::Window& window = {}) {
    std::string output = add(op, window);
    runtime::Node& node = graph.nodes.back();
    node.input_grid = random_grid(random, scheme.x_qmin, scheme.x_qmax);
    node.weight = random_weight(random, scheme, weight_shape);
    for (std::int64_t c = 0; scheme.has_bias && c < weight_shape[0]; ++c) {
      node.bias.push_back(random.real(-1.0f, 1.0f));
    }
    return output;
  }

  Random random;
  runtime::Graph graph;
};

/// Inputs of `batch` images. A graph that begins with a quantized layer also gets ties of its grid, values
/// far outside it, infinities and denormals; one that does not gets finite values.
inline runtime::Array random_input(Random& random, const runtime::Graph& graph, std::int64_t batch) {
  const auto& grid = graph.nodes.front().input_grid;
  const float scale = grid ? grid->scale : 0.05f;
  const float infinity = std::numeric_limits<float>::infinity();
  const float rare[] = {infinity, -infinity, 3e38f, -3e38f, 0x1p-149f, -0x1p-149f, 0.0f, -0.0f};
  runtime::Array x{graph.input_shape, {}};
  x.shape[0] = batch;
  std::int64_t count = 1;
  for (const std::int64_t size : x.shape) count *= size;
  for (std::int64_t i = 0; i < count; ++i) {
    const float tie = (static_cast<float>(random.integer(-300, 300)) + 0.5f) * scale;
    const bool is_rare = grid && random.one_in(50);
    x.values.push_back(is_rare            ? rare[random.integer(0, 7)]
                       : random.one_in(3) ? tie
                                          : random.real(-300.0f, 300.0f) * scale);
  }
  return x;
}

}  // namespace samebits
