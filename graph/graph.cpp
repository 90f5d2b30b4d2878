// What makes a graph sound: everything that the interpreter, the kernels and the writers rely on without
// asking.
#include "graph/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "graph/shapes.h"
#include "kernels/matmul/linear.h"

namespace samebits::runtime {
namespace {

void check_size(const Node& node, const char* what, std::size_t size, std::int64_t expected) {
  if (size != static_cast<std::uint64_t>(expected))
    fail_node(node, what, ": expected ", expected, " values, got ", size);
}

void check_scale(const Node& node, const char* what, float scale) {
  if (!(scale >= kernels::kMinScale) || std::isinf(scale))
    fail_node(node, what, ": expected a finite value >= 2^-126, got ", scale);
}

void check_range(const Node& node, const char* what, std::int32_t qmin, std::int32_t qmax, int bits) {
  const std::int32_t half = 1 << (bits - 1);
  if (qmin < -half || qmax > half - 1 || qmin >= qmax)
    fail_node(node, what, ": expected ", -half, " <= qmin < qmax <= ", half - 1, ", got qmin ", qmin,
              " and qmax ", qmax);
}

void check_zero_point(const Node& node, const char* what, std::int32_t zero_point, std::int32_t qmin,
                      std::int32_t qmax) {
  if (zero_point < qmin || zero_point > qmax)
    fail_node(node, what, ": expected a zero point in ", qmin, "..", qmax, ", got ", zero_point);
}

void check_input_grid(const Node& node) {
  const kernels::AffineGrid& grid = *node.input_grid;
  check_scale(node, "input_grid", grid.scale);
  check_range(node, "input_grid", grid.qmin, grid.qmax, 8);
  check_zero_point(node, "input_grid", grid.zero_point, grid.qmin, grid.qmax);
}

void check_weight_bits(const Node& node) {
  const Weight& weight = *node.weight;
  const bool is_symmetric = weight.zero_point.empty();
  if (weight.bits < 2 || weight.bits > 8) fail_node(node, "weight: expected bits in 2..8, got ", weight.bits);
  if (!is_symmetric && weight.bits == 8)
    fail_node(node, "weight: expected at most 7 bits of a weight with zero points, got 8");
  check_range(node, "weight", weight.qmin, weight.qmax, weight.bits);
  if (is_symmetric) check_zero_point(node, "weight", 0, weight.qmin, weight.qmax);
}

void check_depth(const Node& node, std::int64_t depth) {
  const Weight& weight = *node.weight;
  const std::int32_t magnitude =
      kernels::max_weight_magnitude(weight.qmin, weight.qmax, weight.zero_point.empty());
  const std::int64_t limit = kernels::max_depth(node.input_grid->qmin, node.input_grid->qmax, magnitude);
  const std::int64_t sum = weight.group_size == 0 ? depth : std::min(depth, weight.group_size);
  if (sum > limit)
    fail_node(node, "expected at most ", limit, " products a sum for int32, got ", sum,
              "; use fewer bits or split the layer");
}

void check_weight_arrays(const Node& node, std::int64_t depth) {
  const Weight& weight = *node.weight;
  const std::int64_t channels = weight.shape[0];
  check_size(node, "weight", weight.codes.size(), channels * depth);
  if (weight.group_size != 0) {
    const std::int64_t groups = depth / weight.group_size + (depth % weight.group_size != 0);
    check_size(node, "weight_scale", weight.scale.size(), channels * groups);
  } else if (weight.scale.size() != 1) {
    check_size(node, "weight_scale", weight.scale.size(), channels);
  }
  if (!weight.zero_point.empty())
    check_size(node, "weight_zero_point", weight.zero_point.size(),
               static_cast<std::int64_t>(weight.scale.size()));
  for (const float scale : weight.scale) check_scale(node, "weight_scale", scale);
  for (const std::int32_t zero_point : weight.zero_point)
    check_zero_point(node, "weight_zero_point", zero_point, weight.qmin, weight.qmax);
  const auto [low, high] = std::minmax_element(weight.codes.begin(), weight.codes.end());
  if (*low < weight.qmin || *high > weight.qmax)
    fail_node(node, "weight: expected codes in ", weight.qmin, "..", weight.qmax, ", got ",
              int{*low < weight.qmin ? *low : *high});
  if (!node.bias.empty()) check_size(node, "bias", node.bias.size(), channels);
}

/// linear and conv2d: what makes them so. The others must not carry it, a file would lose it.
void check_layer(const Node& node) {
  if (!is_layer(node.op)) {
    if (node.input_grid || node.weight || !node.bias.empty())
      fail_node(node, "expected no input_grid, weight or bias for op ", op_name(node.op));
    return;
  }
  if (!node.input_grid || !node.weight)
    fail_node(node, "expected an input_grid and a weight for op ", op_name(node.op));
  check_input_grid(node);
  check_weight_bits(node);
  check_weight_shape(node);
  const std::int64_t depth = elements_per_image(node.name + ": weight", node.weight->shape);
  check_weight_arrays(node, depth);
  check_depth(node, depth);
}

/// Where the node's inputs stand in the list of values.
std::vector<std::size_t> input_slots(const Node& node, const std::map<std::string, std::size_t>& values) {
  const std::size_t count = node.op == Op::kAdd ? 2 : 1;
  if (node.inputs.size() != count)
    fail_node(node, "expected ", count, " inputs for op ", op_name(node.op), ", got ", node.inputs.size());
  std::vector<std::size_t> slots;
  for (const std::string& input : node.inputs) {
    const auto value = values.find(input);
    if (value == values.end()) fail_node(node, "expected an input made before it, got \"", input, "\"");
    slots.push_back(value->second);
  }
  return slots;
}

}  // namespace

const char* op_name(Op op) {
  switch (op) {
    case Op::kLinear:
      return "linear";
    case Op::kConv2d:
      return "conv2d";
    case Op::kRelu:
      return "relu";
    case Op::kMaxPool2d:
      return "max_pool2d";
    case Op::kAvgPool2d:
      return "avg_pool2d";
    case Op::kFlatten:
      return "flatten";
    case Op::kAdd:
      return "add";
  }
  io::fail("[graph] expected a known op, got ", static_cast<int>(op));
}

bool is_layer(Op op) {
  return op == Op::kLinear || op == Op::kConv2d;
}

void check_weight_shape(const Node& node) {
  const Weight& weight = *node.weight;
  const bool is_linear = node.op == Op::kLinear;
  if (weight.shape.size() != (is_linear ? 2u : 4u))
    fail_node(node, "weight: expected shape ", is_linear ? "[out, in]" : "[out, in / groups, height, width]",
              ", got ", io::to_text(weight.shape));
  element_count(node.name + ": weight", weight.shape);
  if (weight.group_size == 0) return;
  if (!is_linear) fail_node(node, "weight: expected group_size 0 of a conv2d, got ", weight.group_size);
  if (weight.group_size < 4 || weight.group_size > kMaxElements || weight.group_size % 4 != 0)
    fail_node(node, "weight: expected a group_size that is a multiple of 4, or 0 for none, got ",
              weight.group_size);
}

std::vector<Shape> checked_shapes(const Graph& graph) {
  if (graph.input_shape.size() < 2 || graph.input_shape[0] != -1)
    throw io::GraphError(io::join(graph.input, ": expected an input shape [-1, ...], -1 for the batch, got ",
                                  io::to_text(graph.input_shape)));
  elements_per_image(graph.input, graph.input_shape);
  std::vector<Shape> shapes = {graph.input_shape};
  std::map<std::string, std::size_t> values = {{graph.input, 0}};  // place in shapes
  std::set<std::string> names;
  for (const Node& node : graph.nodes) {
    if (node.name.empty())
      throw io::GraphError(io::join("node ", names.size(), ": expected a name, got none"));
    if (!names.insert(node.name).second)
      fail_node(node, "expected every name once, got two nodes of this name");
    std::vector<Shape> inputs;
    for (const std::size_t slot : input_slots(node, values)) inputs.push_back(shapes[slot]);
    check_layer(node);
    shapes.push_back(output_shape(node, inputs));
    elements_per_image(node.name, shapes.back());
    if (!values.emplace(node.output, shapes.size() - 1).second)
      fail_node(node, "expected every value to be made once, got a second \"", node.output, '"');
  }
  if (!values.contains(graph.output))
    throw io::GraphError(io::join("output: expected the name of a value, got \"", graph.output, '"'));
  return shapes;
}

void check(const Graph& graph) {
  try {
    checked_shapes(graph);
  } catch (const io::GraphError& error) {
    io::fail("[graph] ", error.what());
  }
}

}  // namespace samebits::runtime
