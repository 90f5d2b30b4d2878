#include "training/loop/evaluate.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <functional>

#include "graph/package.h"
#include "runtime/interpreter.h"
#include "torch_ext/forward.h"
#include "torch_ext/graph/replay.h"
#include "training/library_errors.h"

namespace samebits::training {
namespace {

Evaluation evaluate_outputs(const std::function<torch::Tensor(const torch::Tensor&)>& forward,
                            const Examples& examples, const Task& task, std::int64_t batch_size) {
  const torch::NoGradGuard no_grad;
  Totals totals;
  for (std::int64_t begin = 0; begin < examples.size(); begin += batch_size) {
    const Batch batch = examples.range(begin, begin + batch_size);
    task.add_up(totals, forward(batch.x), batch.target);
  }
  return {totals.loss / static_cast<double>(totals.examples), task.metric_value(totals)};
}

}  // namespace

Evaluation evaluate_on(const Examples& examples, const TrainableModel& model, const Task& task,
                       std::int64_t batch_size) {
  const EvalGuard eval(*model.module);
  return evaluate_outputs(model.forward, examples, task, batch_size);
}

Evaluation evaluate(const TrainableModel& model, const Task& task, std::int64_t batch_size) {
  return evaluate_on(task.test(), model, task, batch_size);
}

Evaluation evaluate_package(const std::filesystem::path& package, const Task& task, std::int64_t batch_size) {
  return refusing([&] {
    runtime::Interpreter interpreter(graph::load_package(package), at::get_num_threads());
    const auto forward = [&](const torch::Tensor& x) { return tensor_of(interpreter.run(array_of(x))); };
    return evaluate_outputs(forward, task.test(), task, batch_size);
  });
}

}  // namespace samebits::training
