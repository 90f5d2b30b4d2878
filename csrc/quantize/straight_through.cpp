#include "csrc/quantize/straight_through.h"

#include <torch/autograd.h>

#include "csrc/quantize/grids.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct StraightThrough : torch::autograd::Function<StraightThrough> {
  static variable_list forward(AutogradContext* context, const Tensor& /*x*/,
                               const std::function<FakeQuantized()>& run) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [y, clip_mask, saw_nan] = run();
    context->save_for_backward({clip_mask});
    context->mark_non_differentiable({clip_mask, saw_nan});
    return {y, clip_mask, saw_nan};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    return {fake_quantize_backward(grads[0], context->get_saved_variables()[0]), {}};
  }
};

}  // namespace

FakeQuantized straight_through(const Tensor& x, const std::function<FakeQuantized()>& run) {
  const variable_list outputs = StraightThrough::apply(x, run);
  return {outputs[0], outputs[1], outputs[2]};
}

FakeQuantized empty_fake_quantized(const Tensor& x) {
  return {at::empty_like(x, at::MemoryFormat::Contiguous), empty_clip_mask(x),
          at::empty({}, x.options().dtype(at::kBool))};
}

}  // namespace samebits::ops
