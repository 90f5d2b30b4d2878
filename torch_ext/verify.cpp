#include "torch_ext/verify.h"

#include <ATen/Parallel.h>
#include <algorithm>
#include <map>
#include <utility>

#include "export/formats.h"
#include "export/onnx/export_onnx.h"
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

/// The result of a forward on copies: it may write to its inputs.
torch::Tensor result_of(const ModelRef& model, const Tensors& batch) {
  Tensors inputs;
  for (const torch::Tensor& each : batch) inputs.push_back(each.clone());
  const Tensors results = model.call(inputs);
  TORCH_CHECK(results.size() == 1 && results[0].scalar_type() == torch::kFloat,
              "[verify] model: expected one float32 result, got ", results.size(), " of ",
              results.empty() ? "none" : c10::toString(results[0].scalar_type()));
  return results[0].contiguous();
}

void verify_package(const ModelRef& model, const std::vector<Tensors>& batches,
                    const std::vector<torch::Tensor>& expected, VerifyReport& report) {
  const bool is_package = format_of_file(report.file) == nullptr;  // of any name
  runtime::Interpreter interpreter(is_package ? graph::load_package(report.file) : load_exported(report.file),
                                   at::get_num_threads());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const bool was_equal = report.differing == 0;
    const std::vector<runtime::Array> xs = arrays_of(batches[i]), ys = interpreter.run(xs);
    const runtime::Array want = array_of(expected[i]);
    add_batch(view_of(want), view_of(ys.at(0)), report);
    if (!was_equal || report.differing == 0) continue;
    NodeComparison nodes(layer_outputs(model, interpreter.graph(), batches[i]));
    interpreter.on_node = [&](const graph::Node& node, const runtime::Array& y) {
      nodes.see(node.name, view_of(y));
    };
    interpreter.run(xs);
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

IntegerParts integer_parts(const graph::Graph& graph, const Tensors& inputs) {
  std::map<std::string, torch::Tensor> values;
  runtime::Interpreter interpreter(graph, at::get_num_threads());
  interpreter.on_node = [&](const graph::Node& node, const runtime::Array& y) {
    if (y.dtype == graph::Dtype::kFloat32) values[node.outputs[0]] = tensor_of(y);
  };
  interpreter.run(arrays_of(inputs));
  IntegerParts parts;
  const auto want = [&](const std::string& value) {
    if (values.contains(value) && !parts.given.contains(value)) parts.wanted[value] = values.at(value);
  };
  for (const graph::Node& node : graph.nodes)
    if (is_float_layer(node) && values.contains(node.outputs[0]))
      parts.given[node.outputs[0]] = values.at(node.outputs[0]);
  for (const graph::Node& node : graph.nodes)
    if (is_float_layer(node)) want(node.inputs[0]);
  for (const std::string& output : graph.outputs) want(output);
  return parts;
}

/// How many elements of the integer layers' values differ.
std::int64_t integer_differences(const graph::Graph& graph, const std::filesystem::path& file,
                                 const OnnxInputs& inputs) {
  const IntegerParts parts = integer_parts(graph, inputs.tensors);
  std::int64_t count = 0;
  for (const auto& [name, got] : run_onnx_parts(file, inputs, parts.given, parts.wanted)) {
    const runtime::Array want = array_of(parts.wanted.at(name)), have = array_of(got);
    count += want.shape == have.shape ? differences(want.values, have.values).count
                                      : static_cast<std::int64_t>(want.values.size());
  }
  return count;
}

/// Whether the batch is the first dimension of all inputs.
bool are_rows(const DynamicAxes& axes, const Tensors& inputs) {
  if (axes.batch.empty()) return inputs.size() == 1;
  return std::ranges::all_of(axes.batch, [](std::int64_t axis) { return axis == 0; });
}

/// Each process takes a while to start: batches of rows become one.
void join_rows(std::vector<Tensors>& batches, std::vector<torch::Tensor>& expected) {
  Tensors joined;
  for (std::size_t i = 0; i < batches[0].size(); ++i) {
    Tensors parts;
    for (const Tensors& batch : batches) parts.push_back(batch.at(i));
    joined.push_back(torch::cat(parts));
  }
  batches = {joined};
  expected = {torch::cat(expected)};
}

void verify_onnx(const ModelRef& model, std::vector<Tensors> batches, std::vector<torch::Tensor> expected,
                 VerifyReport& report) {
  TORCH_CHECK(!batches.empty(), "[verify] batches: expected at least one, got none");
  const bool rows = are_rows(model.axes, batches[0]);
  if (rows) join_rows(batches, expected);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const runtime::Array want = array_of(expected[i]),
                         got = array_of(run_onnx(report.file, {batches[i], rows}));
    add_batch(view_of(want), view_of(got), report);
  }
  if (report.differing == 0) return;
  Tensors example = batches[0];
  if (rows)
    for (torch::Tensor& x : example) x = x.narrow(0, 0, 1);
  const QuantizedModel quantized = convert(model, example);
  if (std::ranges::none_of(quantized.graph().nodes, is_float_layer)) return;
  report.differing_float = std::exchange(report.differing, 0);
  for (const Tensors& batch : batches)
    report.differing += integer_differences(quantized.graph(), report.file, {batch, rows});
  if (report.differing == 0) report.first_difference.clear();
}

/// The codes of layers' inputs, by the values of a QDQ file that are these.
std::map<std::string, std::vector<std::int32_t>> input_codes(const graph::Graph& graph,
                                                             const Tensors& inputs) {
  std::map<std::string, runtime::Array> values;
  const std::vector<runtime::Array> arrays = arrays_of(inputs);
  for (std::size_t i = 0; i < arrays.size(); ++i) values[graph.inputs.at(i).name] = arrays[i];
  runtime::Interpreter interpreter(graph, at::get_num_threads());
  interpreter.on_node = [&](const graph::Node& node, const runtime::Array& y) {
    values[node.outputs[0]] = y;
  };
  interpreter.run(arrays);
  std::map<std::string, std::vector<std::int32_t>> codes;
  for (const graph::Node& node : graph.nodes) {
    if (!graph::is_layer(node)) continue;
    const kernels::AffineGrid& grid = graph::input_grid(node);
    std::vector<std::int32_t>& of_layer = codes[qdq_input_codes(node.name)];
    for (const float value : values.at(node.inputs[0]).values)
      of_layer.push_back(kernels::code_at(kernels::grid_position(value, grid), grid));
  }
  return codes;
}

/// Codes that differ on one batch, which is what values of whole layers need memory for.
void compare_codes(const ModelRef& model, const OnnxInputs& inputs, VerifyReport& report) {
  const QuantizedModel quantized = convert(model, inputs.tensors);
  const auto expected = input_codes(quantized.graph(), inputs.tensors);
  std::map<std::string, torch::Tensor> wanted;
  for (const auto& [name, ignored] : expected) wanted[name] = torch::Tensor();
  for (const auto& [name, got] : run_onnx_parts(report.file, inputs, {}, wanted)) {
    const std::vector<float> values = array_of(got).values;
    const std::vector<std::int32_t> codes(values.begin(), values.end());
    const std::vector<std::int32_t>& want = expected.at(name);
    TORCH_CHECK(codes.size() == want.size(), "[verify] ", report.file.string(), ": expected ", want.size(),
                " codes in ", name, ", got ", codes.size());
    add_codes(want, codes, report);
  }
}

void verify_qdq(const ModelRef& model, std::vector<Tensors> batches, std::vector<torch::Tensor> expected,
                VerifyReport& report) {
  TORCH_CHECK(!batches.empty(), "[verify] batches: expected at least one, got none");
  const bool rows = are_rows(model.axes, batches[0]);
  const Tensors first = batches[0];
  if (rows) join_rows(batches, expected);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const runtime::Array want = array_of(expected[i]),
                         got = array_of(run_onnx(report.file, {batches[i], rows}));
    add_batch(view_of(want), view_of(got), report);
  }
  report.promises_bits = false;
  report.differing_float = std::exchange(report.differing, 0);
  report.first_difference.clear();
  compare_codes(model, {first, rows}, report);
}

}  // namespace

VerifyReport verify(const ModelRef& model, const std::filesystem::path& file,
                    const std::vector<Tensors>& batches) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  VerifyReport report;
  report.file = file;
  std::vector<torch::Tensor> expected;
  for (const Tensors& batch : batches) expected.push_back(result_of(model, batch));
  if (file.extension() != ".onnx")
    verify_package(model, batches, expected, report);
  else if (onnx_style(file) == OnnxStyle::kInteger)
    verify_onnx(model, batches, expected, report);
  else
    verify_qdq(model, batches, expected, report);
  return report;
}

VerifyReport verify(const ModelRef& model, const std::filesystem::path& file,
                    const std::vector<torch::Tensor>& batches) {
  std::vector<Tensors> each;
  for (const torch::Tensor& batch : batches) each.push_back({batch});
  return verify(model, file, each);
}

}  // namespace samebits
