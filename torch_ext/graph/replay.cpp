#include "torch_ext/graph/replay.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <cstring>

#include "export/verify/verify_report.h"
#include "graph/operator.h"
#include "runtime/interpreter.h"
#include "torch_ext/graph/trace.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/modules/qat_recurrent.h"

namespace samebits {
namespace {

FloatsView view_of(const runtime::Array& array) {
  return {array.shape, array.values};
}

Tensors cloned(const Tensors& tensors) {  // a forward may write to its input
  Tensors clones;
  for (const torch::Tensor& each : tensors) clones.push_back(each.clone());
  return clones;
}

bool same(const std::vector<runtime::Array>& want, const std::vector<runtime::Array>& got) {
  for (std::size_t i = 0; i < want.size(); ++i)
    if (want[i].shape != got[i].shape || want[i].dtype != got[i].dtype ||
        want[i].integers != got[i].integers || want[i].flags != got[i].flags ||
        differences(want[i].values, got[i].values).count != 0)
      return false;
  return true;
}

/// Throws unless the graph gives `expected` for the inputs.
void compare(const ModelRef& model, runtime::Interpreter& interpreter, const Tensors& inputs,
             const Tensors& expected) {
  const std::vector<runtime::Array> xs = arrays_of(inputs);
  if (same(arrays_of(expected), interpreter.run(xs))) return;
  NodeComparison nodes(layer_outputs(model, interpreter.graph(), inputs));
  interpreter.on_node = [&](const graph::Node& node, const runtime::Array& y) {
    nodes.see(node.name, view_of(y));
  };
  interpreter.run(xs);
  TORCH_CHECK(
      false,
      "[export] model: expected the traced graph to give what the model gives, got other bits for a batch "
      "of ",
      inputs[0].size(0), nodes.text(),
      "; a trace does not show branches on values, sizes written as numbers, and writes to memory that it "
      "does not see");
}

}  // namespace

runtime::Array array_of(const torch::Tensor& x_any) {
  const torch::Tensor x = x_any.detach().contiguous();
  const torch::ScalarType type = x.scalar_type();
  TORCH_CHECK(x.is_cpu() && (type == torch::kFloat || type == torch::kLong || type == torch::kBool),
              "[runtime] x: expected float32, int64 or bool on the CPU, got ", type, " on ", x.device());
  runtime::Array array{.shape = x.sizes().vec()};
  array.dtype = type == torch::kFloat  ? graph::Dtype::kFloat32
                : type == torch::kLong ? graph::Dtype::kInt64
                                       : graph::Dtype::kBool;
  array.resize(static_cast<std::size_t>(x.numel()));
  if (x.numel() > 0) std::memcpy(array.data(), x.const_data_ptr(), x.nbytes());
  return array;
}

std::vector<runtime::Array> arrays_of(const Tensors& tensors) {
  std::vector<runtime::Array> arrays;
  for (const torch::Tensor& each : tensors) arrays.push_back(array_of(each));
  return arrays;
}

torch::Tensor tensor_of(const runtime::Array& array) {
  const torch::ScalarType type = array.dtype == graph::Dtype::kFloat32 ? torch::kFloat
                                 : array.dtype == graph::Dtype::kInt64 ? torch::kLong
                                                                       : torch::kBool;
  torch::Tensor tensor = torch::empty(array.shape, type);
  if (tensor.numel() > 0) std::memcpy(tensor.mutable_data_ptr(), array.data(), tensor.nbytes());
  return tensor;
}

std::map<std::string, graph::FloatTensor> layer_outputs(const ModelRef& model, const graph::Graph& graph,
                                                        const Tensors& inputs) {
  std::vector<std::string> names;  // of the layers' nodes, in order: the order of their calls
  for (const graph::Node& node : graph.nodes)
    if (!node.scope.empty()) names.push_back(node.name);
  std::map<std::string, graph::FloatTensor> outputs;
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  std::size_t call = 0;
  const LayerWatch watch([&](const QATLayer& layer, const torch::Tensor&, const torch::Tensor& y) {
    if (call >= names.size()) return;
    if (dynamic_cast<const QATRecurrentImpl*>(&layer) != nullptr) return void(++call);  // y is its product
    runtime::Array array = array_of(y);
    outputs[names[call++]] = {std::move(array.shape), std::move(array.values)};
  });
  model.call(cloned(inputs));
  return outputs;
}

void check_replay(const ModelRef& model, const graph::Graph& graph, const Tensors& examples,
                  const Tensors& expected) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  runtime::Interpreter interpreter(graph, at::get_num_threads());
  compare(model, interpreter, examples, expected);
  const Tensors others = other_examples(model, examples, 1, 0);
  compare(model, interpreter, others, model.call(cloned(others)));
}

}  // namespace samebits
