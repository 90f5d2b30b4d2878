// What every operator says of itself, and the table of them. An operator is graph/ops/<theme>/<name>.h, a
// struct of attributes whose visit() names each field once, and graph/ops/<theme>/<name>.cpp, which says what
// it takes and gives. The other layers have a file of that name each: runtime/ops/ computes it,
// export/onnx/ops/ writes it, torch_ext/graph/ops/ finds it in a trace. Nothing but graph/operators.inc lists
// them.
#pragma once

#include <any>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "kernels/common/affine.h"
#include "quant/quantized_tensor.h"

namespace samebits::graph {

/// The names of an enumeration's values, in their order.
using Names = std::span<const char* const>;

/// Fills in the fields of attributes from where they were written to.
class AttributeReader {
 public:
  virtual ~AttributeReader() = default;
  virtual void operator()(const char* key, bool& value) = 0;
  virtual void operator()(const char* key, std::int64_t& value) = 0;
  virtual void operator()(const char* key, float& value) = 0;
  virtual void operator()(const char* key, Pair& value) = 0;
  virtual void operator()(const char* key, kernels::AffineGrid& value) = 0;
  virtual void operator()(const char* key, quant::QuantizedTensor& value) = 0;
  virtual void operator()(const char* key, FloatTensor& value) = 0;
  /// Values that may be missing: empty.
  virtual void operator()(const char* key, std::vector<float>& value) = 0;
  /// The same of a field younger than the format: its key is there only where there are values.
  virtual void optional(const char* key, std::vector<float>& value) = 0;
  virtual void operator()(const char* key, Sizes& value) = 0;
  virtual void operator()(const char* key, Dimension& value) = 0;
  virtual void operator()(const char* key, Shape& value) = 0;
  virtual void operator()(const char* key, ConstantTensor& value) = 0;
  /// A value that is the place of a name.
  virtual void choose(const char* key, Names names, std::size_t& value) = 0;
  template <class Enum>
  void choice(const char* key, Enum& value, Names names) {
    std::size_t index = 0;
    choose(key, names, index);
    value = static_cast<Enum>(index);
  }
  /// A field that is written only when it is not `usual`: what came after the version of the package.
  template <class T>
  void unless(const char* key, T& value, const T& usual) {
    value = usual;
    if (!has(key)) return;
    (*this)(key, value);
    if (value == usual) refuse_usual(key);
  }

 private:
  virtual bool has(const char* key) = 0;
  [[noreturn]] virtual void refuse_usual(const char* key) = 0;
};

/// Takes the fields of attributes, in the order in which visit() names them.
class AttributeWriter {
 public:
  virtual ~AttributeWriter() = default;
  virtual void operator()(const char* key, const bool& value) = 0;
  virtual void operator()(const char* key, const std::int64_t& value) = 0;
  virtual void operator()(const char* key, const float& value) = 0;
  virtual void operator()(const char* key, const Pair& value) = 0;
  virtual void operator()(const char* key, const kernels::AffineGrid& value) = 0;
  virtual void operator()(const char* key, const quant::QuantizedTensor& value) = 0;
  virtual void operator()(const char* key, const FloatTensor& value) = 0;
  virtual void operator()(const char* key, const std::vector<float>& value) = 0;
  virtual void optional(const char* key, const std::vector<float>& value) = 0;
  virtual void operator()(const char* key, const Sizes& value) = 0;
  virtual void operator()(const char* key, const Dimension& value) = 0;
  virtual void operator()(const char* key, const Shape& value) = 0;
  virtual void operator()(const char* key, const ConstantTensor& value) = 0;
  virtual void choose(const char* key, Names names, std::size_t value) = 0;
  template <class Enum>
  void choice(const char* key, const Enum& value, Names names) {
    choose(key, names, static_cast<std::size_t>(value));
  }
  template <class T>
  void unless(const char* key, const T& value, const T& usual) {
    if (value != usual) (*this)(key, value);
  }
};

/// The attributes of an operator that has none: `struct Sub : NoAttributes<Sub>`.
template <class A>
struct NoAttributes {
  template <class Self, class Visitor>
  static void visit(Self&, Visitor&) {}
  friend bool operator==(const A&, const A&) { return true; }
};

/// Of an operator with one input or more.
constexpr std::size_t kAnyInputs = SIZE_MAX;

struct Operator {
  std::size_t inputs = 1;       // how many
  bool keeps_order = false;     // x <= y gives f(x) <= f(y), and the result is an element of x or a constant:
                                // runs on codes as it does on reals. x is the first input, or with kAnyInputs
                                // each of them
  bool is_engines_own = false;  // float arithmetic whose order or method other engines choose for themselves
  // What define() adds.
  const char* name = "";  // in files and messages
  std::any (*attributes)() = nullptr;
  void (*read)(std::any& attributes, AttributeReader& visit) = nullptr;
  void (*write)(const std::any& attributes, AttributeWriter& visit) = nullptr;
  bool (*equal)(const std::any& a, const std::any& b) = nullptr;
  /// Types of the outputs. Throws GraphError when the attributes are none or do not fit the inputs.
  std::vector<TensorType> (*infer)(const Node& node, Types inputs) = nullptr;
  /// The grid on which its input becomes codes; null: it takes floats. What has one is a layer.
  const kernels::AffineGrid& (*input_grid)(const std::any& attributes) = nullptr;
};

/// The operator of attributes A = {static constexpr const char* kName; template visit(self, visitor)}, whose
/// `TensorType kInfer(const Node&, const A&, Types inputs)` is its shape rule and its checks.
template <class A, auto kInfer>
Operator define(Operator op) {
  op.name = A::kName;
  op.attributes = [] { return std::any(A()); };
  op.read = [](std::any& a, AttributeReader& visit) { A::visit(std::any_cast<A&>(a), visit); };
  op.write = [](const std::any& a, AttributeWriter& visit) { A::visit(std::any_cast<const A&>(a), visit); };
  op.equal = [](const std::any& a, const std::any& b) {
    return std::any_cast<const A&>(a) == std::any_cast<const A&>(b);
  };
  op.infer = [](const Node& node, Types inputs) {
    return std::vector<TensorType>{kInfer(node, node.as<A>(), inputs)};
  };
  if constexpr (requires(A a) { a.input_grid; })
    op.input_grid = [](const std::any& a) -> const kernels::AffineGrid& {
      return std::any_cast<const A&>(a).input_grid;
    };
  return op;
}

/// All operators in the order of operators.inc.
std::span<const Operator* const> operators();
/// The operator of that name; null: there is none.
const Operator* find_operator(std::string_view name);
/// Its place in operators().
std::size_t index_of(const Operator& op);
/// "linear, conv2d, relu, …".
std::string operator_names();

/// A node of the operator that A is the attributes of.
template <class A>
Node make_node(std::string name, A attributes, std::vector<std::string> inputs, std::string output) {
  return {.op = find_operator(A::kName),
          .name = std::move(name),
          .scope = {},
          .inputs = std::move(inputs),
          .outputs = {std::move(output)},
          .attributes = std::move(attributes)};
}

/// Whether the node is of the operator that A is the attributes of.
template <class A>
bool is_a(const Node& node) {
  return std::any_cast<A>(&node.attributes) != nullptr;
}

/// Whether nodes of this operator quantize their input: linear and conv2d.
inline bool is_layer(const Node& node) {
  return node.op->input_grid != nullptr;
}
inline const kernels::AffineGrid& input_grid(const Node& node) {
  return node.op->input_grid(node.attributes);
}

// What shape rules share.

/// y has the type of x.
TensorType as_input(Types inputs);
/// Throws GraphError unless the input is float32.
void check_float(const Node& node, const TensorType& input);
/// Throws GraphError unless the input is float32 of this rank; `layout` is for the message: "[batch,
/// channels, …]".
void check_rank(const Node& node, const TensorType& input, std::size_t rank, const char* layout);
/// Throws GraphError when a shape has more than kMaxRank dimensions.
void check_max_rank(const Node& node, const Shape& shape);
constexpr std::size_t kMaxRank = 8;
/// The size of a dimension that must not depend on a symbol.
std::int64_t number(const Node& node, const TensorType& input, std::size_t axis);

}  // namespace samebits::graph
