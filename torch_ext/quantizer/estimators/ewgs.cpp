#include "torch_ext/quantizer/estimators/ewgs.h"

#include <torch/csrc/autograd/custom_function.h>

#include "csrc/quantize/fake_quantize.h"

namespace samebits {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct EwgsFunction : torch::autograd::Function<EwgsFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& values, const EstimatedGrid& grid,
                        double delta) {
    const Tensor scale = grid.scale.detach();
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const auto [reals, clip_mask, saw_nan] =
        ops::fake_quantize(values, scale, grid.zero_point, grid.qmin, grid.qmax, /*axis=*/0, grid.group_size);
    context->save_for_backward({values, scale.clone(), clip_mask});  // an observer may move the scale
    context->saved_data["group_size"] = grid.group_size;
    context->saved_data["delta"] = delta;
    return reals;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor& values = saved[0];
    const Tensor position = values / spread(saved[1], values, context->saved_data["group_size"].toInt());
    const Tensor passed = ops::fake_quantize_backward(grads[0], saved[2]);
    // Where nothing passes the error may be NaN: 0 there, not NaN.
    const Tensor error = (position - position.round()).nan_to_num(0, 0, 0);
    return {passed * (1 + context->saved_data["delta"].toDouble() * passed.sign() * error), Tensor(),
            Tensor()};
  }
};

}  // namespace

Tensor Ewgs::quantized(const Tensor& values, const EstimatedGrid& grid) const {
  return EwgsFunction::apply(values, grid, delta_);
}

}  // namespace samebits
