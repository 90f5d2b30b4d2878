#include "torch_ext/graph/pt2/pt2_program.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <regex>
#include <set>

#include "io/error.h"
#include "torch_ext/graph/program/step.h"
#include "torch_ext/graph/pt2/arguments.h"

namespace samebits::pt2 {
namespace {

using nlohmann::json;

/// "a/b.py:12" of the innermost line of Python that is not torch's own; empty: none is known.
std::string source_of(const json& metadata) {
  const std::string trace = metadata.value("stack_trace", "");
  static const std::regex kLine("File \"([^\"]+)\", line ([0-9]+)");
  std::string source;
  for (std::sregex_iterator line(trace.begin(), trace.end(), kLine), end; line != end; ++line) {
    const std::string file = (*line)[1];
    const bool is_torch = file.find("/torch/") != std::string::npos || file.starts_with("torch/");
    if (!is_torch) source = file + ":" + (*line)[2].str();
  }
  return source;
}

/// "layer1.0" of "L__self__,,Net;L__self__layer1.0,layer1.0,Block".
std::string scope_of(const json& metadata) {
  const std::string stack = metadata.value("nn_module_stack", "");
  const std::string last = stack.substr(stack.rfind(';') + 1);  // npos + 1 is 0
  const std::size_t first = last.find(','), second = last.find(',', first + 1);
  if (first == std::string::npos || second == std::string::npos) return "";
  const std::string path = last.substr(first + 1, second - first - 1);
  return path.find_first_of("[]()_") == 0 ? "" : path;
}

/// The symbol of {"as_expr": {"expr_str": "Symbol('s17', positive=True, integer=True)"}} or "s17"; empty:
/// more than one symbol.
std::string symbol_of(const json& size) {
  static const std::regex kSymbol("Symbol\\('([A-Za-z_0-9]+)'[^()]*\\)|([A-Za-z_][A-Za-z_0-9]*)");
  const std::string text = size.at("as_expr").at("expr_str");
  std::smatch match;
  if (!std::regex_match(text, match, kSymbol)) return "";
  return match[1].matched ? match[1].str() : match[2].str();
}

class Reader {
 public:
  explicit Reader(Archive& archive) : archive_(archive) {}

  Program read() {
    const json& module = archive_.model().at("graph_module");
    const json& signature = module.at("signature");
    for (const json& spec : signature.at("input_specs"))
      add_input(spec.begin().key(), spec.begin().value(), module.at("graph"));
    add_nodes(module.at("graph"), scope_, std::nullopt);
    for (const json& spec : signature.at("output_specs")) {
      if (!spec.contains("user_output"))
        io::fail(
            "output ", spec.begin().key(),
            ": expected training IR, got an inference graph; save what torch.export.export gives, without "
            "run_decompositions()");
      program_.outputs.push_back(argument(spec.at("user_output").at("arg"), scope_));
    }
    return std::move(program_);
  }

 private:
  ProgramValue define(const std::string& name, Scope& scope) {
    const ProgramValue value = program_.new_value();
    scope[name] = {value};
    return value;
  }

  void add_input(const std::string& kind, const json& spec, const json& graph) {
    static const std::map<std::string, ProgramTensorEntry::Kind> kTensors = {
        {"parameter", ProgramTensorEntry::kParameter},
        {"buffer", ProgramTensorEntry::kBuffer},
        {"tensor_constant", ProgramTensorEntry::kConstant}};
    if (kind == "constant_input") return;  // stands in the nodes
    const json& arg = spec.at("arg");
    if (const auto tensor = kTensors.find(kind); tensor != kTensors.end()) {
      const std::string name = spec.at(kind + "_name");
      scope_[arg.at("name").get<std::string>()] = {ProgramTensor{program_.tensors.size()}};
      program_.tensors.push_back(
          {tensor->second, name, archive_.tensor(name), spec.value("persistent", true)});
      return;
    }
    if (kind != "user_input")
      io::fail("input of kind ", kind,
               ": expected tensors, parameters and buffers; export a model of these alone");
    if (arg.contains("as_sym_int") || arg.contains("as_sym_float"))
      io::fail("input ", name_of(arg), ": expected a tensor, got a number that is free; pass it as a tensor");
    if (!arg.contains("as_tensor")) return;  // a constant, which stands in the nodes
    const std::string name = name_of(arg);
    ProgramInput input{define(name, scope_), -1, -1, {}};
    add_shape(graph.at("tensor_values").at(name).at("sizes"), input);
    program_.inputs.push_back(std::move(input));
  }

  /// The first symbol is the batch, the second the sequence.
  void add_shape(const json& sizes, ProgramInput& input) {
    for (const json& size : sizes) {
      const auto axis = static_cast<std::int64_t>(input.shape.size());
      if (size.contains("as_int")) {
        input.shape.emplace_back(SymbolicSize{size.at("as_int").get<std::int64_t>(), 0});
        continue;
      }
      const std::string symbol = symbol_of(size);
      if (!symbol.empty()) symbols_.emplace(symbol, symbols_.size());
      const std::size_t place = symbol.empty() ? graph::kSymbols : symbols_.at(symbol);
      if (place >= graph::kSymbols) {
        input.shape.emplace_back(std::nullopt);
        continue;
      }
      std::int64_t& known = place == 0 ? input.batch_axis : input.sequence_axis;
      if (known < 0) known = axis;
      input.shape.emplace_back(SymbolicSize{graph::Dimension(static_cast<graph::Symbol>(place)), 0});
    }
  }

  void add_nodes(const json& graph, Scope& scope, std::optional<bool> grad_enabled) {
    for (const json& j : graph.at("nodes")) {
      ProgramNode node;
      node.op = j.at("target").get<std::string>();
      node.name = j.value("name", node.op);
      node.scope = scope_of(j.at("metadata"));
      node.source = source_of(j.at("metadata"));
      node.grad_enabled = grad_enabled;
      const std::string where = "node " + description(node) + ": ";
      try {
        add_node(j, std::move(node), scope);
      } catch (const std::runtime_error& error) {
        const std::string text = error.what();
        io::fail(text.starts_with("node ") ? "" : where, text);  // of a block: the node inside
      }
    }
  }

  void add_node(const json& j, ProgramNode node, Scope& scope) {
    const std::string target = node.op;
    if (target == "torch.ops.higher_order.wrap_with_set_grad_enabled") return inline_block(j, scope);
    if (target.starts_with("torch.ops.higher_order."))
      io::fail("expected operators on tensors, got control flow; write the model without it");
    if (target.starts_with("torch.ops.")) {  // torch.ops.aten.add.Tensor
      const std::size_t dot = target.find('.', 10), last = target.rfind('.');
      node.op = target.substr(10, dot - 10) + "::" + target.substr(dot + 1, last - dot - 1);
      if (!target.ends_with(".default")) node.overload = target.substr(last + 1);
    }
    add_arguments(j.at("inputs"), node, scope);
    for (const json& output : j.at("outputs")) node.results.push_back(results(output, scope));
    program_.nodes.push_back(std::move(node));
  }

  void add_arguments(const json& inputs, ProgramNode& node, const Scope& scope) {
    if (size_arithmetic(node.op) != nullptr) {
      for (const json& input : inputs) node.arguments.push_back(argument(input.at("arg"), scope));
      return;
    }
    const auto op = c10::Dispatcher::singleton().findSchema({node.op, node.overload});
    if (!op.has_value())
      io::fail("expected an operator that this process has; load the library that defines it");
    std::map<std::string, const json*> given;
    for (const json& input : inputs) given[input.at("name").get<std::string>()] = &input.at("arg");
    for (const c10::Argument& parameter : op->schema().arguments()) {
      const auto found = given.find(parameter.name());
      if (found == given.end() && !parameter.default_value().has_value())
        io::fail("expected an argument ", parameter.name(), ", got none");
      node.arguments.push_back(found == given.end() ? ProgramArgument{*parameter.default_value()}
                                                    : argument(*found->second, scope));
      given.erase(parameter.name());
    }
    if (!given.empty())
      io::fail("expected the arguments of ", toString(op->schema()), ", got ", given.begin()->first);
  }

  std::vector<ProgramValue> results(const json& output, Scope& scope) {
    if (output.contains("as_none")) return {};
    if (!output.contains("as_tensors")) return {define(name_of(output), scope)};
    std::vector<ProgramValue> values;
    for (const json& item : output.at("as_tensors")) values.push_back(define(item.at("name"), scope));
    return values;
  }

  /// A `with torch.no_grad()` block is a subgraph. Its nodes join the others, so that layers in it are found
  /// like any other.
  void inline_block(const json& j, Scope& scope) {
    const json& inputs = j.at("inputs");  // the mode, the subgraph, its inputs
    const json& graph = inputs.at(1).at("arg").at("as_graph").at("graph");
    Scope inner;
    for (std::size_t i = 0; i < graph.at("inputs").size(); ++i)
      inner[name_of(graph.at("inputs")[i])] = argument(inputs.at(i + 2).at("arg"), scope);
    add_nodes(graph, inner, inputs.at(0).at("arg").at("as_bool").get<bool>());
    for (std::size_t i = 0; i < j.at("outputs").size(); ++i)
      scope[name_of(j.at("outputs")[i])] = argument(graph.at("outputs").at(i), inner);
  }

  Archive& archive_;
  Program program_;
  Scope scope_;
  std::map<std::string, std::size_t> symbols_;
};

}  // namespace

Program program_of(Archive& archive) {
  return Reader(archive).read();
}

}  // namespace samebits::pt2
