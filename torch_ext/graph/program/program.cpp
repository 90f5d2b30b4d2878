#include "torch_ext/graph/program/program.h"

namespace samebits {

std::string description(const ProgramNode& node) {
  std::string text = node.name + " (" + node.op + ")";
  if (!node.scope.empty()) text += " in " + node.scope;
  if (!node.source.empty()) text += ", " + node.source;
  return text;
}

ProgramNode* producer(Program& program, const ProgramArgument& argument) {
  const ProgramValue* value = argument.value();
  if (value == nullptr) return nullptr;
  for (ProgramNode& node : program.nodes)
    for (const auto& result : node.results)
      for (const ProgramValue each : result)
        if (each == *value) return &node;
  return nullptr;
}

std::size_t uses(const Program& program, ProgramValue value) {
  std::size_t count = 0;
  const auto visit = [&](const ProgramArgument& item) {
    if (const ProgramValue* read = item.value(); read != nullptr && *read == value) ++count;
  };
  for (const ProgramNode& node : program.nodes)
    for (const ProgramArgument& argument : node.arguments) for_each_item(argument, visit);
  for (const ProgramArgument& output : program.outputs) for_each_item(output, visit);
  return count;
}

}  // namespace samebits
