// A node of a program made ready to run: its operator found, what never changes converted once.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/nn/module.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "torch_ext/graph/program/program.h"

namespace samebits {

using Stack = std::vector<c10::IValue>;

/// The values of one run.
struct ProgramRun {
  Stack frame;                     // by ProgramValue::id
  graph::SymbolValues sizes = {};  // of the inputs
  Stack stack;                     // arguments and results of the node that runs
};

class ProgramStep {
 public:
  /// `scope` is the module whose train() and eval() the node follows. Throws c10::Error that names the node where
  /// the operator is unknown or an argument does not fit its schema.
  ProgramStep(const ProgramNode& node, const Program& program, const torch::nn::Module& scope);

  /// Takes its arguments from the run and leaves its results there. Throws c10::Error that names the node.
  void run(ProgramRun& run) const;
  /// Values that no later step reads: freed at the end of run().
  std::vector<std::size_t> last_uses;

  const ProgramNode& node() const { return *node_; }
  /// Whether it draws random numbers and no flag of it stops that in eval mode.
  bool is_random() const { return is_random_; }
  /// Another device for what was written with `from`.
  void replace_device(const c10::Device& from, const c10::Device& to);

 private:
  struct Slot {
    c10::IValue constant;
    std::shared_ptr<const ProgramArgument> argument;  // null: the constant
    c10::TypePtr type;
  };
  struct Flag {  // an argument that eval() switches
    std::size_t slot;
    c10::IValue eval;
  };
  void add_slot(const ProgramArgument& argument, const Program& program, const c10::TypePtr& type);
  void find_flags();
  void take_arguments(ProgramRun& run) const;
  void give_results(ProgramRun& run) const;
  c10::IValue run_layer(const Stack& arguments) const;

  const ProgramNode* node_;
  const torch::nn::Module* scope_;
  std::optional<c10::OperatorHandle> op_;
  c10::IValue (*arithmetic_)(const Stack&) = nullptr;  // on sizes
  std::vector<Slot> slots_;
  std::vector<Flag> flags_;
  bool is_random_ = false, only_in_training_ = false;
};

/// What an argument is in a run, as a value of this type of a schema.
c10::IValue to_ivalue(const ProgramArgument& argument, c10::TypePtr type, const ProgramRun& run);

/// The operator of that name. Throws c10::Error, with `where`, when this process has none.
c10::OperatorHandle find_operator_handle(const std::string& op, const std::string& overload,
                                         const std::string& where);
/// Python's arithmetic on sizes by its name in an archive ("_operator.add"); null: unknown.
c10::IValue (*size_arithmetic(const std::string& name))(const Stack&);

}  // namespace samebits
