// A training graph as plain data, whatever it was read from: a C++ module's traces or an archive of
// torch.export. Every operator is one of the dispatcher's, known to graph/ or not; GraphModule runs it.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "torch_ext/graph/symbolic_size.h"

namespace samebits {

class QATLayer;

/// A place in a run's table of values: an input or a result.
struct ProgramValue {
  std::size_t id;
  friend bool operator==(const ProgramValue&, const ProgramValue&) = default;
};

/// A tensor of the program, by its place in Program::tensors.
struct ProgramTensor {
  std::size_t index;
  friend bool operator==(const ProgramTensor&, const ProgramTensor&) = default;
};

struct ProgramArgument;
using ProgramList = std::vector<ProgramArgument>;
struct ProgramArgument {
  /// A literal is as the operator's schema wants it: a dtype is its number.
  std::variant<c10::IValue, ProgramValue, ProgramTensor, SymbolicSize, ProgramList> is;

  const ProgramValue* value() const { return std::get_if<ProgramValue>(&is); }
  const ProgramTensor* tensor() const { return std::get_if<ProgramTensor>(&is); }
  const c10::IValue* literal() const { return std::get_if<c10::IValue>(&is); }
  bool is_none() const { return literal() != nullptr && literal()->isNone(); }
};

/// Calls visit(argument) for `argument`, or for each item of a list.
template <class Visit>
void for_each_item(const ProgramArgument& argument, const Visit& visit) {
  if (const auto* list = std::get_if<ProgramList>(&argument.is)) {
    for (const ProgramArgument& item : *list) for_each_item(item, visit);
  } else {
    visit(argument);
  }
}

/// What a node gives: for each result of its operator a value, several where it is a list, none where nobody
/// reads it.
using ProgramResults = std::vector<std::vector<ProgramValue>>;

struct ProgramNode {
  std::string name;                        // unique: "relu_3"
  std::string op, overload;                // "aten::add", "Tensor"; arithmetic on sizes: "_operator.add"
  std::vector<ProgramArgument> arguments;  // all of the schema's, in its order
  ProgramResults results;
  std::string scope;                 // path of the module that it belongs to; empty: the model itself
  std::string source;                // "net.py:12", where known
  std::optional<bool> grad_enabled;  // in a block without gradients, or with
  std::shared_ptr<QATLayer> layer;   // runs in place of an operator, on arguments {x};
                                     // of a recurrent one {gates, h or none, c or none}
};

struct ProgramTensorEntry {
  enum Kind { kParameter, kBuffer, kConstant } kind;
  std::string name;  // as in the state dict, dotted
  at::Tensor tensor;
  bool is_persistent = true;  // whether a state dict has it
};

struct ProgramInput {
  ProgramValue value;
  std::int64_t batch_axis = -1, sequence_axis = -1;  // whose sizes are the symbols
  std::vector<std::optional<SymbolicSize>> shape;    // nothing: any size
};

struct Program {
  std::vector<ProgramTensorEntry> tensors;  // tied ones once for each name
  std::vector<ProgramInput> inputs;
  std::vector<ProgramNode> nodes;
  std::vector<ProgramArgument> outputs;
  std::size_t values = 0;  // how many a run has

  ProgramValue new_value() { return {values++}; }
};

/// "relu_3 (aten::relu) in features.1, net.py:12": for messages.
std::string description(const ProgramNode& node);

/// The node that gives the value of an argument; null: none does.
ProgramNode* producer(Program& program, const ProgramArgument& argument);
/// How many times nodes and outputs read the value.
std::size_t uses(const Program& program, ProgramValue value);

}  // namespace samebits
