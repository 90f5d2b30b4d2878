// How the library calls a user's model: torch::nn::Module has no forward of its own, so templates at the
// surface wrap the model's and everything below takes this.
#pragma once

#include <torch/nn.h>

#include <functional>
#include <type_traits>

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

/// Puts a module into eval mode, and back into what it was when destroyed.
class EvalGuard {
 public:
  explicit EvalGuard(torch::nn::Module& module) : module_(module), was_training_(module.is_training()) {
    module_.eval();
  }
  ~EvalGuard() { module_.train(was_training_); }
  EvalGuard(const EvalGuard&) = delete;
  EvalGuard& operator=(const EvalGuard&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
};

}  // namespace samebits
