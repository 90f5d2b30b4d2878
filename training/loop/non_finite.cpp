#include "training/loop/non_finite.h"

#include <torch/torch.h>

#include <map>

#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits::training {
namespace {

bool is_finite(const torch::Tensor& tensor) {
  return torch::isfinite(tensor).all().item<bool>();
}

}  // namespace

std::string first_non_finite(const TrainableModel& model, const Batch& batch) {
  const torch::NoGradGuard no_grad;
  std::map<const torch::nn::Module*, std::string> names;
  for (const auto& module : model.module->named_modules()) names[module.value().get()] = module.key();
  std::string where;
  const auto note = [&](const torch::Tensor& tensor, const std::string& text) {
    if (where.empty() && !is_finite(tensor)) where = text;
  };
  note(batch.x, "the batch's inputs");
  const LayerWatch watch([&](const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y) {
    note(layer.weight, "the weight of " + names[&layer]);
    note(x, "the input of " + names[&layer]);
    note(y, "the output of " + names[&layer]);
  });
  model.forward(batch.x);
  return where.empty() ? "the loss" : where;
}

std::string first_non_finite_parameter(torch::nn::Module& model) {
  for (const auto& parameter : model.named_parameters())
    if (!is_finite(parameter.value())) return parameter.key();
  return "";
}

}  // namespace samebits::training
