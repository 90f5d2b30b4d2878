// Runs the steps of schedule.h.
#include "runtime/interpreter.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "io/error.h"
#include "runtime/evaluator.h"
#include "runtime/memory_plan.h"
#include "runtime/schedule.h"

namespace samebits::runtime {
namespace {

using graph::Graph;
using graph::Node;

/// Elements of a shape; below 0 when a size is, or when they are more than any memory holds.
std::int64_t count_of(const graph::Sizes& sizes) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  std::int64_t count = 1;
  for (const std::int64_t size : sizes)
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return -1;
  return count <= kMost ? count : -1;
}

void copy_to(const View& view, Array& array) {
  const std::int64_t count = view.count();
  array.shape = view.sizes;
  array.dtype = view.dtype;
  array.resize(static_cast<std::size_t>(count));
  if (count > 0)
    std::memcpy(array.data(), view.data, static_cast<std::size_t>(count * graph::element_bytes(view.dtype)));
}

bool has_shape(const graph::Sizes& sizes, const graph::Shape& shape, const graph::SymbolValues& symbols) {
  return std::equal(sizes.begin(), sizes.end(), shape.begin(), shape.end(),
                    [&](std::int64_t size, const graph::Dimension& of) { return size == of.at(symbols); });
}

void check_input(const graph::Input& input, const Array& x, const graph::SymbolValues& symbols) {
  if (x.dtype != input.type.dtype)
    io::fail("[runtime] ", input.name, ": expected values of ", graph::to_text(input.type.dtype), ", got ",
             graph::to_text(x.dtype));
  if (!has_shape(x.shape, input.type.shape, symbols) || count_of(x.shape) < 0)
    io::fail("[runtime] ", input.name, ": expected shape ", graph::to_text(input.type.shape), ", got ",
             io::to_text(x.shape));
  if (count_of(x.shape) != static_cast<std::int64_t>(x.count()))
    io::fail("[runtime] ", input.name, ": expected ", count_of(x.shape), " values for shape ",
             io::to_text(x.shape), ", got ", x.count());
  const auto flag = std::find_if(x.flags.begin(), x.flags.end(), [](std::uint8_t each) { return each > 1; });
  if (flag != x.flags.end())
    io::fail("[runtime] ", input.name, ": expected bools of 0 or 1, got ", int{*flag});
}

/// What the inputs say of the batch and the other symbols, each as the first that has it says it. Sizes that
/// do not fit are check_input()'s to find.
graph::SymbolValues symbols_of(const Graph& graph, std::span<const Array> inputs) {
  graph::SymbolValues symbols = {};
  std::array<const graph::Input*, graph::kSymbols> told_by = {};
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const graph::Shape& shape = graph.inputs[i].type.shape;
    if (shape.size() != inputs[i].shape.size()) continue;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      const std::size_t symbol = shape[axis].plain_symbol();
      const std::int64_t size = inputs[i].shape[axis];
      if (symbol == graph::kSymbols) continue;
      if (told_by[symbol] != nullptr && symbols[symbol] != size)
        io::fail("[runtime] ", graph.inputs[i].name, ": expected ",
                 graph::to_text(static_cast<graph::Symbol>(symbol)), " ", symbols[symbol], " as in ",
                 told_by[symbol]->name, ", got shape ", io::to_text(inputs[i].shape), " for ",
                 graph::to_text(shape));
      symbols[symbol] = size;
      told_by[symbol] = &graph.inputs[i];
    }
  }
  return symbols;
}

}  // namespace

struct Interpreter::State {
  State(Graph graph_in, int thread_count);

  void run(std::span<const Array> inputs, const std::function<void(const Node&, const Array&)>& on_node,
           std::vector<Array>& outputs);
  void check_call(std::span<const Array> inputs, const graph::SymbolValues& symbols) const;
  void prepare(const Schedule& schedule, const graph::SymbolValues& symbols);
  std::int64_t size_of_output(const Step& step, std::size_t value);
  void take_inputs(std::span<const Array> inputs);
  void compute(const Step& step);

  Graph graph;
  std::vector<graph::TensorType> types;             // of a value
  std::vector<const Evaluator*> evaluators;         // of a node
  std::vector<std::shared_ptr<const void>> packed;  // of a node; points into it
  Schedule folded, plain;                           // plain: one step a node, for on_node
  // For the schedule and the symbols of the last run.
  const Schedule* prepared = nullptr;
  graph::SymbolValues symbols = {};
  MemoryPlan plan;
  std::vector<View> values;
  Memory block, scratch;
  std::vector<const View*> step_inputs;
  std::vector<View*> step_outputs;
  Array seen;  // by on_node
  ThreadPool threads;
};

Interpreter::State::State(Graph graph_in, int thread_count)
    : graph(std::move(graph_in)), threads(thread_count) {
  try {
    types = graph::checked_types(graph);
  } catch (const graph::GraphError& error) {
    io::fail("[graph] ", error.what());
  }
  for (const Node& node : graph.nodes) {
    evaluators.push_back(&evaluator_of(*node.op));
    packed.push_back(evaluators.back()->pack == nullptr ? nullptr : evaluators.back()->pack(node));
  }
  folded = make_schedule(graph, /*fold=*/true);
  plain = make_schedule(graph, /*fold=*/false);
  values.resize(types.size());
  for (std::size_t value = 0; value < values.size(); ++value) values[value].dtype = types[value].dtype;
}

void Interpreter::State::check_call(std::span<const Array> inputs, const graph::SymbolValues& given) const {
  for (std::size_t i = 0; i < inputs.size(); ++i) check_input(graph.inputs[i], inputs[i], given);
  threads.check_process();
}

/// Gives the output its sizes, and returns its bytes.
std::int64_t Interpreter::State::size_of_output(const Step& step, std::size_t value) {
  View& y = values[value];
  y.sizes = graph::sizes_at(types[value].shape, symbols);
  y.reader = step.reader.has_value() ? &graph.nodes[*step.reader] : nullptr;
  const std::int64_t count = count_of(y.sizes);
  if (count < 0)
    io::fail("[runtime] ", graph.nodes[step.node].name,
             ": expected an output of sizes >= 0 and at most 2^40 elements, got ", io::to_text(y.sizes),
             " for ", graph::to_text(types[value].shape));
  return count * y.element_bytes();
}

void Interpreter::State::prepare(const Schedule& schedule, const graph::SymbolValues& given) {
  if (prepared == &schedule && symbols == given) return;
  prepared = nullptr;
  symbols = given;
  std::vector<std::int64_t> bytes(values.size(), 0);
  std::vector<Sharing> sharing;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i)
    values[i].sizes = graph::sizes_at(types[i].shape, symbols);
  for (const Step& step : schedule.steps) {
    for (const std::size_t value : step.outputs) {
      bytes[value] = size_of_output(step, value);
      if (evaluators[step.node]->held != nullptr) bytes[value] = 0;
    }
    sharing.push_back(evaluators[step.node]->sharing);
  }
  plan = plan_memory(schedule, bytes, sharing);
  try {
    block.at_least(plan.bytes);
  } catch (const std::exception&) {
    io::fail("[runtime] expected ", plan.bytes,
             " bytes of memory for the values of this call, got none; give it fewer items");
  }
  for (std::size_t value = graph.inputs.size(); value < values.size(); ++value)
    values[value].data = static_cast<char*>(block.at_least(plan.bytes)) + plan.offset[value];
  for (const Step& step : schedule.steps)
    if (const auto held = evaluators[step.node]->held; held != nullptr)
      values[step.outputs.front()].data =
          const_cast<void*>(held(graph.nodes[step.node]));  // nobody writes there
  for (std::size_t value = graph.inputs.size(); value < values.size(); ++value)
    values[value].data = values[plan.owner[value]].data;
  prepared = &schedule;
}

void Interpreter::State::take_inputs(std::span<const Array> inputs) {
  // No evaluator writes to its input.
  for (std::size_t i = 0; i < inputs.size(); ++i) values[i].data = const_cast<void*>(inputs[i].data());
  for (std::size_t value = inputs.size(); value < values.size(); ++value)
    if (plan.owner[value] < inputs.size()) values[value].data = values[plan.owner[value]].data;
}

void Interpreter::State::compute(const Step& step) {
  step_inputs.clear();
  step_outputs.clear();
  for (const std::size_t value : step.inputs) step_inputs.push_back(&values[value]);
  for (const std::size_t value : step.outputs) step_outputs.push_back(&values[value]);
  if (evaluators[step.node]->run == nullptr) return;
  evaluators[step.node]->run({.node = graph.nodes[step.node],
                              .packed = packed[step.node].get(),
                              .inputs = step_inputs,
                              .outputs = step_outputs,
                              .relu = step.relu,
                              .symbols = symbols,
                              .threads = threads,
                              .scratch = scratch});
}

void Interpreter::State::run(std::span<const Array> inputs,
                             const std::function<void(const Node&, const Array&)>& on_node,
                             std::vector<Array>& outputs) {
  if (inputs.size() != graph.inputs.size())
    io::fail("[runtime] expected ", graph.inputs.size(), " inputs, got ", inputs.size());
  const graph::SymbolValues given = symbols_of(graph, inputs);
  check_call(inputs, given);
  const Schedule& schedule = on_node ? plain : folded;
  prepare(schedule, given);
  take_inputs(inputs);
  for (const Step& step : schedule.steps) {
    compute(step);
    if (!on_node) continue;
    for (const View* output : step_outputs) {
      copy_to(*output, seen);
      on_node(graph.nodes[step.node], seen);
    }
  }
  outputs.resize(schedule.results.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) copy_to(values[schedule.results[i]], outputs[i]);
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

MemoryUse Interpreter::memory() const {
  return {.values_bytes = state_->plan.bytes,
          .live_bytes = state_->plan.live_bytes,
          .scratch_bytes = state_->scratch.bytes()};
}

}  // namespace samebits::runtime
