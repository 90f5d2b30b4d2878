#include "torch_ext/verify.h"

#include <map>

#include "export/formats.h"
#include "graph/operator.h"
#include "graph/package.h"
#include "runtime/interpreter.h"
#include "torch_ext/convert.h"
#include "torch_ext/graph/replay.h"
#include "torch_ext/onnx_process.h"

namespace samebits {
namespace {

FloatsView view_of(const runtime::Array& array) {
  return {array.shape, array.values};
}

void verify_package(const ModelRef& model, const std::vector<torch::Tensor>& batches,
                    const std::vector<runtime::Array>& expected, VerifyReport& report) {
  const bool is_package = format_of_file(report.file) == nullptr;  // of any name
  runtime::Interpreter interpreter(is_package ? graph::load_package(report.file) : load_exported(report.file),
                                   at::get_num_threads());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const bool was_equal = report.differing == 0;
    const runtime::Array x = array_of(batches[i]);
    add_batch(view_of(expected[i]), view_of(interpreter.run(x)), report);
    if (!was_equal || report.differing == 0) continue;
    NodeComparison nodes(layer_outputs(model, interpreter.graph(), {batches[i]}));
    interpreter.on_node = [&](const graph::Node& node, const runtime::Array& y) {
      nodes.see(node.name, view_of(y));
    };
    interpreter.run(x);
    interpreter.on_node = nullptr;
    report.first_difference += nodes.text();
  }
}

/// Or a function, a norm, a mean between layers.
bool is_float_layer(const graph::Node& node) {
  return node.op->is_engines_own;
}

/// What the integer layers of a file with float layers must give: the inputs of these, and the result.
struct IntegerParts {
  std::map<std::string, torch::Tensor> given;   // what float layers give, by the names of their values
  std::map<std::string, torch::Tensor> wanted;  // by value
};

IntegerParts integer_parts(const graph::Graph& graph, const torch::Tensor& x) {
  std::map<std::string, torch::Tensor> values;
  runtime::Interpreter interpreter(graph, at::get_num_threads());
  interpreter.on_node = [&](const graph::Node& node, const runtime::Array& y) {
    values[node.outputs[0]] = tensor_of(y);
  };
  interpreter.run(array_of(x));
  IntegerParts parts;
  const auto want = [&](const std::string& value) {
    if (values.contains(value) && !parts.given.contains(value)) parts.wanted[value] = values.at(value);
  };
  for (const graph::Node& node : graph.nodes)
    if (is_float_layer(node)) parts.given[node.outputs[0]] = values.at(node.outputs[0]);
  for (const graph::Node& node : graph.nodes)
    if (is_float_layer(node)) want(node.inputs[0]);
  for (const std::string& output : graph.outputs) want(output);
  return parts;
}

/// How many elements of the integer layers' values differ.
std::int64_t integer_differences(const graph::Graph& graph, const std::filesystem::path& file,
                                 const torch::Tensor& x) {
  const IntegerParts parts = integer_parts(graph, x);
  std::int64_t count = 0;
  for (const auto& [name, got] : run_onnx_parts(file, x, parts.given, parts.wanted)) {
    const runtime::Array want = array_of(parts.wanted.at(name)), have = array_of(got);
    count += want.shape == have.shape ? differences(want.values, have.values).count
                                      : static_cast<std::int64_t>(want.values.size());
  }
  return count;
}

void verify_onnx(const ModelRef& model, const torch::Tensor& x, const torch::Tensor& expected,
                 VerifyReport& report) {
  const runtime::Array want = array_of(expected), got = array_of(run_onnx(report.file, x));
  add_batch(view_of(want), view_of(got), report);
  if (report.differing == 0) return;
  const QuantizedModel quantized = convert(model, x.narrow(0, 0, 1));
  if (std::ranges::none_of(quantized.graph().nodes, is_float_layer)) return;
  report.differing_float = report.differing;
  report.differing = integer_differences(quantized.graph(), report.file, x);
  if (report.differing == 0) report.first_difference.clear();
}

}  // namespace

VerifyReport verify(const ModelRef& model, const std::filesystem::path& file,
                    const std::vector<torch::Tensor>& batches) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  VerifyReport report;
  report.file = file;
  std::vector<torch::Tensor> expected;
  for (const torch::Tensor& batch : batches) expected.push_back(model.forward(batch.clone()).contiguous());
  if (file.extension() == ".onnx") {
    verify_onnx(model, torch::cat(batches), torch::cat(expected), report);
    return report;
  }
  std::vector<runtime::Array> arrays;
  for (const torch::Tensor& each : expected) arrays.push_back(array_of(each));
  verify_package(model, batches, arrays, report);
  return report;
}

}  // namespace samebits
