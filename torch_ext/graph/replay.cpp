#include "torch_ext/graph/replay.h"

#include <torch/types.h>

#include "export/verify/verify_report.h"
#include "graph/operator.h"
#include "runtime/interpreter.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {
namespace {

FloatsView view_of(const runtime::Array& array) {
  return {array.shape, array.values};
}

/// Other values and one item more.
torch::Tensor other_batch(const torch::Tensor& example) {
  return torch::cat({example.neg(), example.narrow(0, 0, 1)});
}

/// Throws unless the graph gives `expected` for x.
void compare(const ModelRef& model, runtime::Interpreter& interpreter, const torch::Tensor& x,
             const torch::Tensor& expected) {
  const runtime::Array want = array_of(expected), got = interpreter.run(array_of(x));
  const bool is_same = want.shape == got.shape && differences(want.values, got.values).count == 0;
  if (is_same) return;
  NodeComparison nodes(layer_outputs(model, interpreter.graph(), x));
  interpreter.on_node = [&](const graph::Node& node, const runtime::Array& y) {
    nodes.see(node.name, view_of(y));
  };
  interpreter.run(array_of(x));
  TORCH_CHECK(
      false,
      "[export] model: expected the traced graph to give what the model gives, got other bits for a batch "
      "of ",
      x.size(0), nodes.text(),
      "; a trace does not show branches on values, sizes written as numbers, and writes to memory that it "
      "does not see");
}

}  // namespace

runtime::Array array_of(const torch::Tensor& x_any) {
  const torch::Tensor x = x_any.detach().contiguous();
  TORCH_CHECK(x.is_cpu() && x.scalar_type() == torch::kFloat,
              "[runtime] x: expected float32 on the CPU, got ", x.scalar_type(), " on ", x.device());
  return {x.sizes().vec(), {x.const_data_ptr<float>(), x.const_data_ptr<float>() + x.numel()}};
}

torch::Tensor tensor_of(const runtime::Array& array) {
  return torch::tensor(array.values).reshape(array.shape);
}

std::map<std::string, graph::FloatTensor> layer_outputs(const ModelRef& model, const graph::Graph& graph,
                                                        const torch::Tensor& x) {
  std::vector<std::string> names;  // of the layers' nodes, in order: the order of their calls
  for (const graph::Node& node : graph.nodes)
    if (!node.scope.empty()) names.push_back(node.name);
  std::map<std::string, graph::FloatTensor> outputs;
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  std::size_t call = 0;
  const LayerWatch watch([&](const QATLayer&, const torch::Tensor&, const torch::Tensor& y) {
    if (call >= names.size()) return;
    runtime::Array array = array_of(y);
    outputs[names[call++]] = {std::move(array.shape), std::move(array.values)};
  });
  model.forward(x.clone());
  return outputs;
}

void check_replay(const ModelRef& model, const graph::Graph& graph, const torch::Tensor& example,
                  const torch::Tensor& expected) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  runtime::Interpreter interpreter(graph, at::get_num_threads());
  compare(model, interpreter, example, expected);
  if (example.size(0) == 0) return;
  const torch::Tensor other = other_batch(example);
  compare(model, interpreter, other, model.forward(other.clone()));
}

}  // namespace samebits
