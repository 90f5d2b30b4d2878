// Values live in slots: slot 0 is the input, slot i + 1 the output of node i. A slot is freed after its last
// use. Work is split by rows (linear), images (conv2d), planes (pools) or elements: no sum is ever shared.
#include "runtime/interpreter.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>

#include "kernels/conv2d.h"
#include "kernels/linear.h"
#include "kernels/quantize.h"
#include "runtime/error.h"
#include "runtime/operators.h"
#include "runtime/shapes.h"
#include "runtime/thread_pool.h"

namespace samebits::runtime {
namespace {

/// Below this many elements or products a block costs less than waking a thread for it.
constexpr std::int64_t kGrain = 1 << 15;

/// Items of `work` each that a block should hold.
std::int64_t grain_of(std::int64_t work) {
  return std::max<std::int64_t>(1, kGrain / work);
}

/// What run() needs of a linear or conv2d, made once.
struct Layer {
  kernels::PreparedWeights weights;
  kernels::LayerTerms terms;
};

Layer prepare_layer(const Node& node) {
  if (!is_layer(node.op)) return {};
  const Weight& weight = *node.weight;
  std::int64_t depth = 1;
  for (std::size_t i = 1; i < weight.shape.size(); ++i) depth *= weight.shape[i];
  const kernels::WeightCodes codes{
      .codes = weight.codes.data(),
      .scale = weight.scale.data(),
      .zero_point = weight.zero_point.empty() ? nullptr : weight.zero_point.data(),
      .scale_count = static_cast<std::int64_t>(weight.scale.size()),
      .n = weight.shape[0],
      .k = depth,
      .group_size = weight.group_size,
      .qmin = weight.qmin,
      .qmax = weight.qmax,
  };
  const auto layout = node.op == Op::kConv2d ? kernels::WeightLayout::kRows : kernels::WeightLayout::kPacked;
  Layer layer{.weights = kernels::prepare_weights(codes, layout), .terms = {}};
  layer.terms =
      kernels::layer_terms(layer.weights, *node.input_grid, node.bias.empty() ? nullptr : node.bias.data());
  return layer;
}

kernels::Conv2dShape conv2d_shape(const Node& node, const Shape& x_shape) {
  const Shape& weight = node.weight->shape;
  const Window& window = node.window;
  return {.in_channels = x_shape[1],
          .height = x_shape[2],
          .width = x_shape[3],
          .out_channels = weight[0],
          .kernel_height = weight[2],
          .kernel_width = weight[3],
          .stride_height = window.stride[0],
          .stride_width = window.stride[1],
          .padding_height = window.padding[0],
          .padding_width = window.padding[1],
          .dilation_height = window.dilation[0],
          .dilation_width = window.dilation[1],
          .groups = window.groups};
}

std::int64_t size_of(const Array& array) {
  return static_cast<std::int64_t>(array.values.size());
}

}  // namespace

struct Interpreter::State {
  State(Graph graph_in, int thread_count);

  Array run(const Array& x, const std::function<void(const Node&, const Array&)>& on_node);
  void check_input(const Array& x) const;

  /// Computes node i into `y`, which has its shape and size. For relu and flatten `x` may be `y`.
  void compute(std::size_t i, const Array& x, const Array& second, Array& y);
  void linear(std::size_t i, const Array& x, Array& y);
  void conv2d(std::size_t i, const Array& x, Array& y);
  void pool(const Node& node, const Array& x, Array& y);

  /// Quantizes and computes blocks of `items`, each of `codes_per_item` inputs and `work` products.
  template <class Compute>
  void run_layer(const Node& node, const Array& x, std::int64_t items, std::int64_t codes_per_item,
                 std::int64_t work, Compute compute);

  Graph graph;
  std::vector<Shape> shapes;                     // a slot; -1 for the batch
  std::vector<std::vector<std::size_t>> inputs;  // a node: slots
  std::vector<std::size_t> last_use;             // a slot: the node behind which it is free
  std::size_t output_slot = 0;
  std::vector<Layer> layers;       // a node; empty where it has no weight
  std::vector<std::int8_t> codes;  // of one layer's input; grows to the largest
  ThreadPool threads;
};

Interpreter::State::State(Graph graph_in, int thread_count)
    : graph(std::move(graph_in)), threads(thread_count) {
  try {
    shapes = checked_shapes(graph);
  } catch (const GraphError& error) {
    fail("[graph] ", error.what());
  }
  std::map<std::string, std::size_t> slots = {{graph.input, 0}};
  last_use.assign(shapes.size(), 0);
  for (const Node& node : graph.nodes) {
    const std::size_t i = inputs.size();
    inputs.emplace_back();
    for (const std::string& input : node.inputs) {
      inputs[i].push_back(slots.at(input));
      last_use[inputs[i].back()] = i;
    }
    slots[node.output] = i + 1;
    last_use[i + 1] = i;  // when nobody reads it
    layers.push_back(prepare_layer(node));
  }
  output_slot = slots.at(graph.output);
  last_use[output_slot] = std::numeric_limits<std::size_t>::max();
}

void Interpreter::State::check_input(const Array& x) const {
  const Shape& expected = graph.input_shape;
  const bool fits = x.shape.size() == expected.size() && x.shape[0] >= 0 &&
                    std::equal(x.shape.begin() + 1, x.shape.end(), expected.begin() + 1);
  if (!fits)
    fail("[runtime] ", graph.input, ": expected shape ", to_text(expected), " with any batch, got ",
         to_text(x.shape));
  const std::int64_t image = elements_per_image(graph.input, expected);
  if (size_of(x) % image != 0 || size_of(x) / image != x.shape[0])
    fail("[runtime] ", graph.input, ": expected ", image, " values an image for shape ", to_text(x.shape),
         ", got ", x.values.size(), " values");
}

Array Interpreter::State::run(const Array& x, const std::function<void(const Node&, const Array&)>& on_node) {
  check_input(x);
  std::vector<Array> slots(shapes.size());
  const auto value = [&](std::size_t slot) -> const Array& { return slot == 0 ? x : slots[slot]; };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    Array& y = slots[i + 1];
    const std::size_t first = inputs[i].front(), second = inputs[i].back();
    // These two work where their input lies when nobody else reads it.
    const bool is_in_place =
        (node.op == Op::kRelu || node.op == Op::kFlatten) && first != 0 && last_use[first] == i;
    if (is_in_place) y.values = std::move(slots[first].values);
    y.shape = shapes[i + 1];
    y.shape[0] = x.shape[0];
    y.values.resize(static_cast<std::size_t>(x.shape[0] * elements_per_image(node.name, y.shape)));
    compute(i, is_in_place ? y : value(first), value(second), y);
    if (on_node) on_node(node, y);
    for (const std::size_t slot : inputs[i])
      if (last_use[slot] == i) slots[slot] = {};
    if (last_use[i + 1] == i) y = {};
  }
  if (output_slot == 0) return x;
  return std::move(slots[output_slot]);
}

void Interpreter::State::compute(std::size_t i, const Array& x, const Array& second, Array& y) {
  const Node& node = graph.nodes[i];
  switch (node.op) {
    case Op::kLinear:
      return linear(i, x, y);
    case Op::kConv2d:
      return conv2d(i, x, y);
    case Op::kMaxPool2d:
    case Op::kAvgPool2d:
      return pool(node, x, y);
    case Op::kFlatten:
      if (&x != &y) y.values = x.values;
      return;
    case Op::kRelu:
      return threads.parallel_for(size_of(y), kGrain, [&](std::int64_t begin, std::int64_t end) {
        relu(x.values.data(), y.values.data(), begin, end);
      });
    case Op::kAdd:
      return threads.parallel_for(size_of(y), kGrain, [&](std::int64_t begin, std::int64_t end) {
        add(x.values.data(), second.values.data(), y.values.data(), begin, end);
      });
  }
}

template <class Compute>
void Interpreter::State::run_layer(const Node& node, const Array& x, std::int64_t items,
                                   std::int64_t codes_per_item, std::int64_t work, Compute compute) {
  if (codes.size() < x.values.size()) codes.resize(x.values.size());
  const kernels::QuantizeArgs args{.x = x.values.data(), .codes = codes.data(), .clip_mask = nullptr};
  std::atomic<bool> saw_nan = false;
  threads.parallel_for(items, grain_of(work), [&](std::int64_t begin, std::int64_t end) {
    if (kernels::quantize_run(args, *node.input_grid, begin * codes_per_item, end * codes_per_item)) {
      saw_nan = true;
      return;
    }
    compute(begin, end);
  });
  if (saw_nan)
    fail("[runtime] ", node.name, ": input holds NaN; look for it in the model's input, then with on_node");
}

void Interpreter::State::linear(std::size_t i, const Array& x, Array& y) {
  const Layer& layer = layers[i];
  const std::int64_t rows = size_of(x) / layer.weights.k;
  run_layer(graph.nodes[i], x, rows, layer.weights.k, layer.weights.k * layer.weights.n,
            [&](std::int64_t begin, std::int64_t end) {
              kernels::linear(layer.weights, layer.terms, codes.data(), y.values.data(),
                              {begin, end, 0, layer.weights.n});
            });
}

void Interpreter::State::conv2d(std::size_t i, const Array& x, Array& y) {
  const Node& node = graph.nodes[i];
  const Layer& layer = layers[i];
  const kernels::Conv2dShape shape = conv2d_shape(node, x.shape);
  const std::int64_t work = shape.out_height() * shape.out_width() * shape.out_channels * shape.depth();
  run_layer(node, x, x.shape[0], shape.in_channels * shape.height * shape.width, work,
            [&](std::int64_t begin, std::int64_t end) {
              kernels::conv2d(layer.weights, layer.terms, shape, *node.input_grid, codes.data(),
                              y.values.data(), begin, end);
            });
}

void Interpreter::State::pool(const Node& node, const Array& x, Array& y) {
  const PoolShape shape{x.shape[2], x.shape[3], y.shape[2], y.shape[3]};
  const std::int64_t work =
      shape.out_height * shape.out_width * node.window.kernel[0] * node.window.kernel[1];
  const auto pool_planes = node.op == Op::kMaxPool2d ? max_pool2d : avg_pool2d;
  threads.parallel_for(x.shape[0] * x.shape[1], grain_of(work), [&](std::int64_t begin, std::int64_t end) {
    pool_planes(x.values.data(), y.values.data(), shape, node.window, begin, end);
  });
}

Interpreter::Interpreter(Graph graph, int threads)
    : state_(std::make_unique<State>(std::move(graph), threads)) {}
Interpreter::~Interpreter() = default;

Array Interpreter::run(const Array& x) {
  return state_->run(x, on_node);
}

const Graph& Interpreter::graph() const {
  return state_->graph;
}

}  // namespace samebits::runtime
