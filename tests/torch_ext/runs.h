// What a graph module computes in eval mode, beside what the runtime computes of its graph.
#pragma once

#include <torch/torch.h>

#include <string>

#include "runtime/interpreter.h"
#include "torch_ext/convert.h"
#include "torch_ext/graph/replay.h"
#include "torch_ext/graph_module.h"

namespace samebits {

/// How many elements differ, of all outputs.
inline std::int64_t differing(GraphModule& graph, const QuantizedModel& quantized, const Tensors& inputs,
                              int threads = 1) {
  const torch::NoGradGuard no_grad;
  graph->eval();
  const Tensors want = graph->forward(inputs);
  runtime::Interpreter interpreter(quantized.graph(), threads);
  const std::vector<runtime::Array> got = interpreter.run(arrays_of(inputs));
  TORCH_CHECK(want.size() == got.size(), "expected ", want.size(), " outputs, got ", got.size());
  std::int64_t count = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const torch::Tensor y = tensor_of(got[i]);
    TORCH_CHECK(y.sizes() == want[i].sizes(), "expected ", want[i].sizes(), ", got ", y.sizes());
    count += (y.view(torch::kInt) != want[i].contiguous().view(torch::kInt)).sum().item<std::int64_t>();
  }
  return count;
}

/// Steps of SGD on batches of the model's own output.
template <class Batch>
void train_steps(GraphModule& graph, int steps, double rate, const Batch& batch) {
  torch::optim::SGD optimizer(graph->parameters(), torch::optim::SGDOptions(rate).momentum(0.9));
  graph->train();
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    torch::Tensor loss;
    for (const torch::Tensor& y : graph->forward(Tensors(batch()))) {
      const torch::Tensor part = y.square().mean();
      loss = loss.defined() ? loss + part : part;
    }
    loss.backward();
    optimizer.step();
  }
}

}  // namespace samebits
