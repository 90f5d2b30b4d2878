// How the library calls a user's model: torch::nn::Module has no forward of its own, so templates at the
// surface wrap the model's and everything below takes this.
#pragma once

#include <ATen/Context.h>
#include <torch/nn.h>

#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace samebits {

/// A model and its forward, one tensor to one tensor. Valid as long as the model is.
struct ModelRef {
  torch::nn::Module& module;
  std::function<torch::Tensor(const torch::Tensor&)> forward;
};

/// `model` is a module with forward(Tensor) -> Tensor, or the holder of one (torch::nn::Sequential,
/// QATLinear).
template <class Model>
ModelRef model_ref(Model& model) {
  if constexpr (std::is_base_of_v<torch::nn::Module, Model>) {
    return {model, [&model](const torch::Tensor& x) -> torch::Tensor { return model.forward(x); }};
  } else {
    return model_ref(*model);
  }
}

/// Puts a module into eval mode. When destroyed, gives every submodule the mode that it had, and the CPU its
/// random numbers.
class EvalGuard {
 public:
  explicit EvalGuard(torch::nn::Module& module)
      : module_(module), was_training_(module.is_training()), random_state_(random_state()) {
    for (const auto& each : module.modules(/*include_self=*/false))
      modes_.emplace_back(each, each->is_training());
    module_.eval();
  }
  ~EvalGuard() {
    // train() goes down to the children, which come later in the list.
    module_.train(was_training_);
    for (const auto& [each, was_training] : modes_)
      if (each->is_training() != was_training) each->train(was_training);
    at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
    const std::lock_guard lock(generator.mutex());
    generator.set_state(random_state_);
  }
  EvalGuard(const EvalGuard&) = delete;
  EvalGuard& operator=(const EvalGuard&) = delete;

 private:
  static torch::Tensor random_state() {
    at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
    const std::lock_guard lock(generator.mutex());
    return generator.get_state();
  }

  torch::nn::Module& module_;
  bool was_training_;
  torch::Tensor random_state_;
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> modes_;  // parents before children
};

}  // namespace samebits
