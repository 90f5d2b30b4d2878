// What makes a graph sound: everything that the interpreter, the kernels and the writers rely on without
// asking.
#include "graph/graph.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "graph/operator.h"

namespace samebits::graph {
namespace {

constexpr SymbolValues kOnes = {1, 1};

/// Values by name, as they come.
class Values {
 public:
  /// False when the name is taken.
  bool add(const std::string& name, TensorType type) {
    const bool is_new = places_.emplace(name, types_.size()).second;
    types_.push_back(std::move(type));
    return is_new;
  }
  const TensorType* find(const std::string& name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : &types_[found->second];
  }
  std::vector<TensorType> take() { return std::move(types_); }

 private:
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<TensorType> types_;
};

/// A value for one item: every symbol 1. "sequence - 2" has no size then, and counts as 1.
void check_elements(const std::string& name, const Shape& shape) {
  Sizes sizes = sizes_at(shape, kOnes);
  for (std::size_t axis = 0; axis < sizes.size(); ++axis)
    if (!shape[axis].is_number()) sizes[axis] = std::max<std::int64_t>(sizes[axis], 1);
  element_count(name, sizes);
}

/// Every symbol of an input's shape is the size of some input's dimension, so that a call says what it is.
void check_inputs(const Graph& graph, Values& values) {
  std::array<bool, kSymbols> is_known = {};
  for (const Input& input : graph.inputs)
    for (const Dimension& dimension : input.type.shape)
      if (const std::size_t symbol = dimension.plain_symbol(); symbol < kSymbols) is_known[symbol] = true;
  for (const Input& input : graph.inputs) {
    if (input.name.empty()) throw GraphError("inputs: expected a name for each, got none");
    if (input.type.shape.empty())
      throw GraphError(io::join(input.name, ": expected a shape of at least one size, got []"));
    for (const Dimension& dimension : input.type.shape)
      for (std::size_t i = 0; i < kSymbols; ++i)
        if (dimension.factors[i] != 0 && !is_known[i])
          throw GraphError(io::join(input.name, ": expected an input with a size that is ",
                                    to_text(static_cast<Symbol>(i)), " alone, got ",
                                    to_text(input.type.shape)));
    check_elements(input.name, input.type.shape);
    if (!values.add(input.name, input.type))
      throw GraphError(
          io::join(input.name, ": expected every value to be made once, got two inputs of this name"));
  }
}

std::vector<TensorType> input_types(const Node& node, const Values& values) {
  if (node.op->inputs == kAnyInputs && node.inputs.empty())
    fail_node(node, "expected an input for op ", node.op->name, ", got none");
  if (node.op->inputs != kAnyInputs && node.inputs.size() != node.op->inputs)
    fail_node(node, "expected ", node.op->inputs, " inputs for op ", node.op->name, ", got ",
              node.inputs.size());
  std::vector<TensorType> types;
  for (const std::string& input : node.inputs) {
    const TensorType* type = values.find(input);
    if (type == nullptr) fail_node(node, "expected an input made before it, got \"", input, "\"");
    types.push_back(*type);
  }
  return types;
}

void add_outputs(const Node& node, Values& values) {
  std::vector<TensorType> types = node.op->infer(node, input_types(node, values));
  if (types.size() != node.outputs.size())
    fail_node(node, "expected ", types.size(), " outputs for op ", node.op->name, ", got ",
              node.outputs.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    check_elements(node.name, types[i].shape);
    if (!values.add(node.outputs[i], std::move(types[i])))
      fail_node(node, "expected every value to be made once, got a second \"", node.outputs[i], '"');
  }
}

/// Finds NaN among a node's parameters: every result would be one.
class NumberCheck : public AttributeWriter {
 public:
  explicit NumberCheck(const Node& node) : node_(node) {}
  void operator()(const char* key, const FloatTensor& value) override { check(key, value.values); }
  void operator()(const char* key, const std::vector<float>& value) override { check(key, value); }
  void optional(const char* key, const std::vector<float>& value) override { check(key, value); }
  // Checked by the operator, or no floats; a constant holds what the model was given.
  void operator()(const char*, const bool&) override {}
  void operator()(const char*, const std::int64_t&) override {}
  void operator()(const char*, const float&) override {}
  void operator()(const char*, const Pair&) override {}
  void operator()(const char*, const kernels::AffineGrid&) override {}
  void operator()(const char*, const quant::QuantizedTensor&) override {}
  void operator()(const char*, const Sizes&) override {}
  void operator()(const char*, const Dimension&) override {}
  void operator()(const char*, const Shape&) override {}
  void operator()(const char*, const ConstantTensor&) override {}
  void choose(const char*, Names, std::size_t) override {}

 private:
  void check(const char* key, const std::vector<float>& values) const {
    for (const float value : values)
      if (std::isnan(value))
        fail_node(node_, key, ": expected numbers, got NaN; look at the steps that trained it");
  }
  const Node& node_;
};

}  // namespace

bool operator==(const Node& a, const Node& b) {
  return a.op == b.op && a.name == b.name && a.scope == b.scope && a.inputs == b.inputs &&
         a.outputs == b.outputs && (a.op == nullptr || a.op->equal(a.attributes, b.attributes));
}

std::int64_t element_count(const std::string& name, const Sizes& sizes) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) {
    if (size < 1 || size > kMaxElements / count)
      throw GraphError(io::join(name, ": expected sizes >= 1 of at most ", kMaxElements,
                                " elements together, got ", io::to_text(sizes)));
    count *= size;
  }
  return count;
}

std::vector<TensorType> checked_types(const Graph& graph) {
  Values values;
  check_inputs(graph, values);
  std::unordered_set<std::string> names;
  for (const Node& node : graph.nodes) {
    if (node.name.empty()) throw GraphError(io::join("node ", names.size(), ": expected a name, got none"));
    if (!names.insert(node.name).second)
      fail_node(node, "expected every name once, got two nodes of this name");
    if (node.op == nullptr) fail_node(node, "expected an op, got none");
    add_outputs(node, values);
    NumberCheck numbers(node);
    node.op->write(node.attributes, numbers);
  }
  for (const std::string& output : graph.outputs)
    if (values.find(output) == nullptr)
      throw GraphError(io::join("output: expected the name of a value, got \"", output, '"'));
  return values.take();
}

void check(const Graph& graph) {
  try {
    checked_types(graph);
  } catch (const GraphError& error) {
    io::fail("[graph] ", error.what());
  }
}

}  // namespace samebits::graph
