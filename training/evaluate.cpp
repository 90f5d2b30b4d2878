#include "training/evaluate.h"

#include <torch/torch.h>

#include <functional>

#include "graph/package.h"
#include "runtime/interpreter.h"
#include "torch_ext/forward.h"

namespace samebits::training {
namespace {

Evaluation evaluate_logits(const std::function<torch::Tensor(const torch::Tensor&)>& forward,
                           const Dataset& data, std::int64_t batch_size) {
  const torch::NoGradGuard no_grad;
  double loss = 0;
  std::int64_t correct = 0;
  for (std::int64_t begin = 0; begin < data.size(); begin += batch_size) {
    const Batch batch = data.range(begin, begin + batch_size);
    const torch::Tensor logits = forward(batch.images);
    loss += torch::nn::functional::cross_entropy(
                logits, batch.labels, torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum))
                .item<double>();
    correct += (logits.argmax(1) == batch.labels).sum().item<std::int64_t>();
  }
  const double n = static_cast<double>(data.size());
  return {loss / n, 100.0 * static_cast<double>(correct) / n};
}

}  // namespace

Evaluation evaluate(Model& model, const Dataset& data, std::int64_t batch_size) {
  const EvalGuard eval(model);
  return evaluate_logits([&](const torch::Tensor& x) { return model.forward(x); }, data, batch_size);
}

Evaluation evaluate_package(const std::filesystem::path& package, const Dataset& data,
                            std::int64_t batch_size) {
  runtime::Interpreter interpreter(graph::load_package(package), at::get_num_threads());
  const auto forward = [&](const torch::Tensor& images) {
    const torch::Tensor x = images.contiguous();
    const runtime::Array y = interpreter.run(
        {x.sizes().vec(), {x.const_data_ptr<float>(), x.const_data_ptr<float>() + x.numel()}});
    return torch::tensor(y.values).reshape(y.shape);
  };
  return evaluate_logits(forward, data, batch_size);
}

std::vector<torch::Tensor> image_batches(const Dataset& data, std::int64_t batch_size) {
  std::vector<torch::Tensor> batches;
  for (std::int64_t begin = 0; begin < data.size(); begin += batch_size)
    batches.push_back(data.range(begin, begin + batch_size).images);
  return batches;
}

}  // namespace samebits::training
