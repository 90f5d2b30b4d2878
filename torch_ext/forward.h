// How the library calls a user's model: torch::nn::Module has no forward of its own, so templates at the
// surface wrap the model's and everything below takes this.
#pragma once

#include <ATen/Context.h>
#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace torch::nn {
class SequentialImpl;
}

namespace samebits {

using Tensors = std::vector<torch::Tensor>;

/// Which dimension of each input is the batch, and which the length of a sequence; -1: none. An empty list of
/// batch dimensions: dimension 0 of every input that has there the size that the first input has. An empty
/// list of sequence dimensions: sequences have the length of the example.
struct DynamicAxes {
  std::vector<std::int64_t> batch = {}, sequence = {};
};

/// A model and its forward, from tensors to tensors. Valid as long as the model is.
struct ModelRef {
  torch::nn::Module& module;
  std::function<Tensors(const Tensors&)> call;
  DynamicAxes axes = {};

  /// The one result for one input.
  torch::Tensor forward(const torch::Tensor& x) const {
    const Tensors results = call({x});
    TORCH_CHECK(results.size() == 1, "[model] forward: expected one tensor as result, got ", results.size());
    return results[0];
  }
};

namespace forward_details {

inline void append(Tensors& tensors, const torch::Tensor& tensor) {
  tensors.push_back(tensor);
}
inline void append(Tensors& tensors, const Tensors& more) {
  tensors.insert(tensors.end(), more.begin(), more.end());
}
template <class... Parts>
void append(Tensors& tensors, const std::tuple<Parts...>& parts);
template <class A, class B>
void append(Tensors& tensors, const std::pair<A, B>& parts) {
  append(tensors, parts.first);
  append(tensors, parts.second);
}
template <class... Parts>
void append(Tensors& tensors, const std::tuple<Parts...>& parts) {
  std::apply([&](const auto&... part) { (append(tensors, part), ...); }, parts);
}

template <class Model, std::size_t... I>
bool call_with(Model& model, const Tensors& inputs, Tensors& results, std::index_sequence<I...>) {
  if constexpr (requires { model.forward(inputs[I]...); }) {
    append(results, model.forward(inputs[I]...));
    return true;
  } else {
    return false;
  }
}

constexpr std::size_t kMostInputs = 6;

/// Calls forward with as many tensors as there are.
template <class Model, std::size_t... N>
Tensors call(Model& model, const Tensors& inputs, std::index_sequence<N...>) {
  Tensors results;
  const bool is_called =
      ((inputs.size() == N + 1 && call_with(model, inputs, results, std::make_index_sequence<N + 1>())) ||
       ...);
  TORCH_CHECK(is_called, "[model] forward: expected to take ", inputs.size(),
              " tensors, got a forward of other arguments; pass as many examples as it takes");
  return results;
}

}  // namespace forward_details

/// `model` is a module whose forward takes up to six tensors, or one vector of them, and gives tensors: one,
/// a tuple, a vector, or tuples of these, flattened; or the holder of such a module (torch::nn::Sequential,
/// QATLinear).
template <class Model>
ModelRef model_ref(Model& model) {
  if constexpr (std::is_same_v<std::remove_const_t<Model>, ModelRef>) {
    return model;
  } else if constexpr (!std::is_base_of_v<torch::nn::Module, Model>) {
    return model_ref(*model);
  } else if constexpr (!std::is_same_v<Model, torch::nn::SequentialImpl> &&
                       requires(const Tensors& all) { model.forward(all); }) {
    return {model, [&model](const Tensors& inputs) {
              Tensors results;
              forward_details::append(results, model.forward(inputs));
              return results;
            }};
  } else {
    return {model, [&model](const Tensors& inputs) {
              return forward_details::call(model, inputs,
                                           std::make_index_sequence<forward_details::kMostInputs>());
            }};
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
