// Runs the steps of plan.h. Work is split by rows or columns (linear), blocks of pixels (conv2d), planes
// (pools) or elements: no sum is ever shared.
#include "runtime/interpreter.h"

#include <algorithm>
#include <atomic>

#include "graph/shapes.h"
#include "io/error.h"
#include "kernels/conv/conv2d.h"
#include "kernels/matmul/linear.h"
#include "kernels/quantize/quantize.h"
#include "quant/pack.h"
#include "runtime/operators.h"
#include "runtime/plan.h"
#include "runtime/thread_pool.h"

namespace samebits::runtime {
namespace {

/// Below this many elements or products a block costs less than waking a thread for it.
constexpr std::int64_t kGrain = 1 << 15;
/// The same for products of codes, of which a thread makes tens of thousands in a microsecond.
constexpr std::int64_t kProductGrain = 1 << 20;

/// Items of `work` each that a block should hold.
std::int64_t grain_of(std::int64_t work) {
  return std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, work));
}

/// What run() needs of a linear or conv2d, made once.
struct Layer {
  kernels::PackedWeight weights;
  kernels::LayerTerms terms;
};

Layer prepare_layer(const Node& node) {
  if (!is_layer(node.op)) return {};
  const Weight& weight = *node.weight;
  using quant::Granularity;
  const Granularity granularity = weight.group_size > 0     ? Granularity::kPerGroup
                                  : weight.scale.size() > 1 ? Granularity::kPerChannel
                                                            : Granularity::kPerTensor;
  const quant::QuantizedTensor tensor{.encoding = {weight.bits, weight.qmin, weight.qmax,
                                                   weight.zero_point.empty(), granularity, weight.group_size},
                                      .shape = weight.shape,
                                      .codes = weight.codes,
                                      .scale = weight.scale,
                                      .zero_point = weight.zero_point};
  Layer layer{.weights = quant::pack(
                  tensor, node.op == Op::kConv2d ? kernels::WeightOrder::kRows : kernels::WeightOrder::kGemm),
              .terms = {}};
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

[[noreturn]] void fail_nan(const Node& node) {
  io::fail("[runtime] ", node.name, ": input holds NaN; look for it in the model's input, then with on_node");
}

/// A value during a run: floats, or int8 codes on the grid of the layer that reads them.
struct Value {
  Shape shape;
  bool is_codes = false;
  const float* floats = nullptr;
  const std::int8_t* codes = nullptr;

  std::int64_t size() const {
    std::int64_t count = 1;
    for (const std::int64_t each : shape) count *= each;
    return count;
  }
};

/// Memory of values; grows to the largest one that it ever holds.
struct Buffer {
  std::vector<float> floats;
  std::vector<std::int8_t> codes;
};

template <class T>
T* grown(std::vector<T>& memory, std::int64_t count) {
  if (static_cast<std::int64_t>(memory.size()) < count) memory.resize(static_cast<std::size_t>(count));
  return memory.data();
}

}  // namespace

struct Interpreter::State {
  State(Graph graph_in, int thread_count);

  Array run(const Array& x, const std::function<void(const Node&, const Array&)>& on_node);
  void check_input(const Array& x) const;

  /// Where a step writes, and what.
  struct Output {
    const Node* reader;  // codes on its input grid; null: floats
    float* floats;
    std::int8_t* codes;
  };
  void compute(const Step& step, const std::vector<Value>& inputs, const Shape& y_shape, const Output& y);
  void linear(const Step& step, const Value& x, const Output& y);
  void conv2d(const Step& step, const Value& x, const Output& y);
  void pool(const Node& node, const Value& x, const Shape& y_shape, const Output& y);

  /// The codes of a layer's input.
  const std::int8_t* input_codes(const Node& node, const Value& x);

  Graph graph;
  std::vector<Shape> shapes;  // a slot; -1 for the batch
  std::vector<Layer> layers;  // a node; empty where it has no weight
  Plan folded, plain;         // plain: one step a node, for on_node
  std::vector<Buffer> buffers;
  std::vector<std::int8_t> codes;  // of one layer's input
  ThreadPool threads;
};

Interpreter::State::State(Graph graph_in, int thread_count)
    : graph(std::move(graph_in)), threads(thread_count) {
  try {
    shapes = checked_shapes(graph);
  } catch (const io::GraphError& error) {
    io::fail("[graph] ", error.what());
  }
  for (const Node& node : graph.nodes) layers.push_back(prepare_layer(node));
  folded = make_plan(graph, /*fold=*/true);
  plain = make_plan(graph, /*fold=*/false);
  buffers.resize(std::max(folded.buffers, plain.buffers));
}

void Interpreter::State::check_input(const Array& x) const {
  const Shape& expected = graph.input_shape;
  const bool fits = x.shape.size() == expected.size() && x.shape[0] >= 0 &&
                    std::equal(x.shape.begin() + 1, x.shape.end(), expected.begin() + 1);
  if (!fits)
    io::fail("[runtime] ", graph.input, ": expected shape ", io::to_text(expected), " with any batch, got ",
             io::to_text(x.shape));
  const std::int64_t image = elements_per_image(graph.input, expected);
  if (size_of(x) % image != 0 || size_of(x) / image != x.shape[0])
    io::fail("[runtime] ", graph.input, ": expected ", image, " values an image for shape ",
             io::to_text(x.shape), ", got ", x.values.size(), " values");
}

Array Interpreter::State::run(const Array& x, const std::function<void(const Node&, const Array&)>& on_node) {
  check_input(x);
  const Plan& plan = on_node ? plain : folded;
  std::vector<Value> values(shapes.size());
  values[0] = {.shape = x.shape, .floats = x.values.data()};
  for (const Step& step : plan.steps) {
    Value& y = values[step.output];
    y.shape = shapes[step.output];
    y.shape[0] = x.shape[0];
    y.is_codes = step.reader.has_value();
    Buffer& buffer = buffers[plan.buffer[step.output]];
    Output output{y.is_codes ? &graph.nodes[*step.reader] : nullptr, nullptr, nullptr};
    if (y.is_codes)
      y.codes = output.codes = grown(buffer.codes, y.size());
    else
      y.floats = output.floats = grown(buffer.floats, y.size());
    std::vector<Value> inputs;
    for (const std::size_t slot : step.inputs) inputs.push_back(values[slot]);
    compute(step, inputs, y.shape, output);
    if (on_node) on_node(graph.nodes[step.node], {y.shape, {y.floats, y.floats + y.size()}});
  }
  const Value& y = values[plan.output];
  return {y.shape, {y.floats, y.floats + y.size()}};
}

void Interpreter::State::compute(const Step& step, const std::vector<Value>& inputs, const Shape& y_shape,
                                 const Output& y) {
  const Node& node = graph.nodes[step.node];
  const Value& x = inputs.front();
  switch (node.op) {
    case Op::kLinear:
      return linear(step, x, y);
    case Op::kConv2d:
      return conv2d(step, x, y);
    case Op::kMaxPool2d:
    case Op::kAvgPool2d:
      return pool(node, x, y_shape, y);
    case Op::kFlatten:
      if (x.is_codes)
        std::copy_n(x.codes, x.size(), y.codes);
      else
        std::copy_n(x.floats, x.size(), y.floats);
      return;
    case Op::kRelu:
      if (x.is_codes)
        return threads.parallel_for(x.size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
          relu_codes(x.codes, y.codes, y.reader->input_grid->zero_point, begin, end);
        });
      return threads.parallel_for(x.size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        relu(x.floats, y.floats, begin, end);
      });
    case Op::kAdd:
      return threads.parallel_for(x.size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        add(x.floats, inputs.back().floats, y.floats, begin, end);
      });
  }
}

const std::int8_t* Interpreter::State::input_codes(const Node& node, const Value& x) {
  if (x.is_codes) return x.codes;
  const kernels::QuantizeArgs args{.x = x.floats, .codes = grown(codes, x.size()), .clip_mask = nullptr};
  std::atomic<bool> saw_nan = false;
  threads.parallel_for(x.size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (kernels::quantize_run(args, *node.input_grid, begin, end)) saw_nan = true;
  });
  if (saw_nan) fail_nan(node);
  return args.codes;
}

void Interpreter::State::linear(const Step& step, const Value& x, const Output& y) {
  const Layer& layer = layers[step.node];
  const std::int8_t* x_codes = input_codes(graph.nodes[step.node], x);
  const std::int64_t n = layer.weights.n, m = x.size() / layer.weights.k;
  const std::int64_t parts =
      std::clamp<std::int64_t>(m * n * layer.weights.k / kProductGrain, 1, threads.threads());
  std::atomic<bool> saw_nan = false;
  threads.parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      const kernels::GemmRegion region = kernels::gemm_region(m, n, part, parts);
      if (y.reader == nullptr)
        kernels::linear(layer.weights, layer.terms, x_codes, y.floats, region, step.relu);
      else if (kernels::linear_codes(layer.weights, layer.terms, x_codes, *y.reader->input_grid, y.codes,
                                     region, step.relu))
        saw_nan = true;
    }
  });
  if (saw_nan) fail_nan(*y.reader);
}

void Interpreter::State::conv2d(const Step& step, const Value& x, const Output& y) {
  const Node& node = graph.nodes[step.node];
  const Layer& layer = layers[step.node];
  const std::int8_t* x_codes = input_codes(node, x);
  const kernels::Conv2dShape shape = conv2d_shape(node, x.shape);
  kernels::Conv2dOutput output{.data = y.floats, .relu = step.relu};
  if (y.reader != nullptr)
    output = {.type = kernels::GemmOutput::kCodes,
              .data = y.codes,
              .relu = step.relu,
              .grid = *y.reader->input_grid};
  const std::int64_t items = kernels::conv2d_work_items(shape, x.shape[0]);
  const std::int64_t work =
      shape.out_height() * shape.out_width() * shape.out_channels * shape.depth() * x.shape[0];
  std::atomic<bool> saw_nan = false;
  const std::int64_t grain =
      std::max<std::int64_t>(1, kProductGrain * items / std::max<std::int64_t>(work, 1));
  threads.parallel_for(items, grain, [&](std::int64_t begin, std::int64_t end) {
    if (kernels::conv2d(layer.weights, layer.terms, shape, *node.input_grid, x_codes, output, begin, end))
      saw_nan = true;
  });
  if (saw_nan) fail_nan(*y.reader);
}

void Interpreter::State::pool(const Node& node, const Value& x, const Shape& y_shape, const Output& y) {
  const PoolShape shape{x.shape[2], x.shape[3], y_shape[2], y_shape[3]};
  const std::int64_t work =
      shape.out_height * shape.out_width * node.window.kernel[0] * node.window.kernel[1];
  threads.parallel_for(x.shape[0] * x.shape[1], grain_of(work), [&](std::int64_t begin, std::int64_t end) {
    if (x.is_codes)
      max_pool2d_codes(x.codes, y.codes, shape, node.window, y.reader->input_grid->qmin, begin, end);
    else if (node.op == Op::kMaxPool2d)
      max_pool2d(x.floats, y.floats, shape, node.window, begin, end);
    else
      avg_pool2d(x.floats, y.floats, shape, node.window, begin, end);
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
