// Runs the steps of schedule.h.
#include "runtime/interpreter.h"

#include <unistd.h>

#include <array>
#include <limits>

#include "io/error.h"
#include "runtime/evaluator.h"
#include "runtime/schedule.h"

namespace samebits::runtime {
namespace {

using graph::Graph;
using graph::Node;

std::int64_t bytes_of(const View& view) {
  return view.count() * static_cast<std::int64_t>(view.is_codes() ? sizeof(std::int8_t) : sizeof(float));
}

Array array_of(const View& view) {
  return {view.sizes, {view.floats(), view.floats() + view.count()}};
}

/// Elements of a shape that a user gave; below 0 when there is no such number.
std::int64_t count_of(const graph::Sizes& sizes) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes)
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return -1;
  return count;
}

void check_input(const graph::Input& input, const Array& x, const graph::SymbolValues& symbols) {
  if (x.shape != graph::sizes_at(input.type.shape, symbols) || count_of(x.shape) < 0)
    io::fail("[runtime] ", input.name, ": expected shape ", graph::to_text(input.type.shape), ", got ",
             io::to_text(x.shape));
  if (count_of(x.shape) != std::ssize(x.values))
    io::fail("[runtime] ", input.name, ": expected ", count_of(x.shape), " values for shape ",
             io::to_text(x.shape), ", got ", x.values.size());
}

/// What the inputs say of the batch and the other symbols. Sizes that do not fit are check_input()'s to find.
graph::SymbolValues symbols_of(const Graph& graph, std::span<const Array> inputs) {
  graph::SymbolValues symbols = {};
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const graph::Shape& shape = graph.inputs[i].type.shape;
    for (std::size_t axis = 0; axis < std::min(shape.size(), inputs[i].shape.size()); ++axis)
      if (const std::size_t symbol = shape[axis].plain_symbol(); symbol < graph::kSymbols)
        symbols[symbol] = inputs[i].shape[axis];
  }
  return symbols;
}

}  // namespace

struct Interpreter::State {
  State(Graph graph_in, int thread_count);

  void run(std::span<const Array> inputs, const std::function<void(const Node&, const Array&)>& on_node,
           std::vector<Array>& outputs);
  void check_call(std::span<const Array> inputs, const graph::SymbolValues& symbols) const;
  void compute(const Step& step, const Schedule& schedule, const graph::SymbolValues& symbols);

  Graph graph;
  std::vector<graph::TensorType> types;             // of a value
  std::vector<const Evaluator*> evaluators;         // of a node
  std::vector<std::shared_ptr<const void>> packed;  // of a node; points into it
  Schedule folded, plain;                           // plain: one step a node, for on_node
  std::vector<View> values;
  std::vector<Memory> buffers;
  std::vector<const View*> step_inputs;
  std::vector<View*> step_outputs;
  Memory scratch;
  ThreadPool threads;
};

Interpreter::State::State(Graph graph_in, int thread_count)
    : graph(std::move(graph_in)), threads(thread_count) {
  try {
    types = graph::checked_types(graph);
  } catch (const graph::GraphError& error) {
    io::fail("[graph] ", error.what());
  }
  for (const graph::Input& input : graph.inputs)
    if (input.type.dtype != graph::Dtype::kFloat32)
      io::fail("[runtime] ", input.name, ": expected an input of float32, got ",
               graph::to_text(input.type.dtype));
  for (const Node& node : graph.nodes) {
    evaluators.push_back(&evaluator_of(*node.op));
    packed.push_back(evaluators.back()->pack == nullptr ? nullptr : evaluators.back()->pack(node));
  }
  folded = make_schedule(graph, /*fold=*/true);
  plain = make_schedule(graph, /*fold=*/false);
  buffers.resize(std::max(folded.buffers, plain.buffers));
  values.resize(types.size());
}

void Interpreter::State::check_call(std::span<const Array> inputs, const graph::SymbolValues& symbols) const {
  for (std::size_t i = 0; i < inputs.size(); ++i) check_input(graph.inputs[i], inputs[i], symbols);
  threads.check_process();
}

void Interpreter::State::compute(const Step& step, const Schedule& schedule,
                                 const graph::SymbolValues& symbols) {
  step_inputs.clear();
  step_outputs.clear();
  for (const std::size_t value : step.inputs) step_inputs.push_back(&values[value]);
  for (const std::size_t value : step.outputs) {
    View& y = values[value];
    const graph::Shape& shape = types[value].shape;
    y.sizes.resize(shape.size());
    for (std::size_t axis = 0; axis < shape.size(); ++axis) y.sizes[axis] = shape[axis].at(symbols);
    y.reader = step.reader.has_value() ? &graph.nodes[*step.reader] : nullptr;
    y.data = buffers[schedule.buffer[value]].at_least(bytes_of(y));
    step_outputs.push_back(&y);
  }
  evaluators[step.node]->run({.node = graph.nodes[step.node],
                              .packed = packed[step.node].get(),
                              .inputs = step_inputs,
                              .outputs = step_outputs,
                              .relu = step.relu,
                              .threads = threads,
                              .scratch = scratch});
}

void Interpreter::State::run(std::span<const Array> inputs,
                             const std::function<void(const Node&, const Array&)>& on_node,
                             std::vector<Array>& outputs) {
  if (inputs.size() != graph.inputs.size())
    io::fail("[runtime] expected ", graph.inputs.size(), " inputs, got ", inputs.size());
  const graph::SymbolValues symbols = symbols_of(graph, inputs);
  check_call(inputs, symbols);
  const Schedule& schedule = on_node ? plain : folded;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    values[i].sizes = inputs[i].shape;
    values[i].data = const_cast<float*>(inputs[i].values.data());  // no evaluator writes to its input
  }
  for (const Step& step : schedule.steps) {
    compute(step, schedule, symbols);
    if (!on_node) continue;
    for (const View* output : step_outputs) on_node(graph.nodes[step.node], array_of(*output));
  }
  outputs.resize(schedule.results.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const View& y = values[schedule.results[i]];
    outputs[i].shape = y.sizes;
    outputs[i].values.assign(y.floats(), y.floats() + y.count());
  }
}

Interpreter::Interpreter(Graph graph, int threads)
    : state_(std::make_unique<State>(std::move(graph), threads)) {}
Interpreter::~Interpreter() = default;

void Interpreter::run(std::span<const Array> inputs, std::vector<Array>& outputs) {
  state_->run(inputs, on_node, outputs);
}

std::vector<Array> Interpreter::run(std::span<const Array> inputs) {
  std::vector<Array> outputs;
  state_->run(inputs, on_node, outputs);
  return outputs;
}

Array Interpreter::run(const Array& x) {
  if (graph().outputs.size() != 1)
    io::fail("[runtime] expected a graph of one output, got ", graph().outputs.size(),
             "; run a list of inputs");
  return std::move(run(std::span(&x, 1)).front());
}

const Graph& Interpreter::graph() const {
  return state_->graph;
}

}  // namespace samebits::runtime
