#include "csrc/common/second_derivative.h"

#include <torch/autograd.h>

#include <functional>
#include <string>
#include <vector>

namespace samebits::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Its outputs hang on the first and the last argument that want a gradient: grad_y and a parameter, if both
/// do.
struct NoSecondDerivative : torch::autograd::Function<NoSecondDerivative> {
  static variable_list forward(AutogradContext* context, const at::Tensor& /*first*/,
                               const at::Tensor& /*last*/, const std::string& name,
                               const std::function<variable_list()>& run) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->saved_data["name"] = name;
    return run();
  }

  static variable_list backward(AutogradContext* context, const variable_list& /*grads*/) {
    const std::string name = context->saved_data["name"].toStringRef();
    TORCH_CHECK(false, "[", name,
                "] expected to be differentiated once, got a gradient of a gradient, which "
                "straight-through layers do not have; leave out create_graph, or keep the layer in float");
  }
};

void compute(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const std::size_t arguments = op.schema().arguments().size();
  variable_list inputs;
  for (std::size_t i = 0; i < arguments; ++i) {
    const c10::IValue& value = torch::jit::peek(*stack, i, arguments);
    if (value.isTensor() && value.toTensor().defined() && value.toTensor().requires_grad())
      inputs.push_back(value.toTensor());
  }
  if (inputs.empty() || !at::GradMode::is_enabled()) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    op.callBoxed(stack);
    return;
  }
  const std::string name = op.schema().name().substr(sizeof("samebits::") - 1);
  const variable_list outputs = NoSecondDerivative::apply(inputs.front(), inputs.back(), name, [&] {
    op.callBoxed(stack);
    variable_list results;
    for (const c10::IValue& value : torch::jit::last(*stack, op.schema().returns().size()))
      results.push_back(value.toTensor());
    torch::jit::drop(*stack, op.schema().returns().size());
    return results;
  });
  for (const at::Tensor& each : outputs) torch::jit::push(*stack, each);
}

}  // namespace

torch::CppFunction without_second_derivative() {
  return torch::CppFunction::makeFromBoxedFunction<&compute>();
}

}  // namespace samebits::ops
