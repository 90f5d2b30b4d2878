// torch operator over kernels/float/relu.h: schema, checks, CPU, Meta, autograd.
#include "csrc/float/relu.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <algorithm>

#include "csrc/common/check.h"
#include "csrc/quantize/fake_quantize.h"
#include "csrc/quantize/grids.h"
#include "kernels/float/relu.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("relu(Tensor x) -> (Tensor y, Tensor clip_mask)");
}

std::tuple<Tensor, Tensor> relu(const Tensor& x) {
  static const auto op = find_op<decltype(relu)>("samebits::relu");
  return op.call(x);
}

namespace {

std::tuple<Tensor, Tensor> relu_meta(const Tensor& x) {
  check_dtype("relu", "x", x, at::kFloat);
  return {at::empty_like(x, at::MemoryFormat::Contiguous), empty_clip_mask(x)};
}

std::tuple<Tensor, Tensor> relu_cpu(const Tensor& x_any) {
  auto [y, clip_mask] = relu_meta(x_any);
  const Tensor x = x_any.contiguous();
  const kernels::ReluArgs args{x.const_data_ptr<float>(), y.mutable_data_ptr<float>(),
                               clip_mask.mutable_data_ptr<uint8_t>()};
  // Threads share the mask by whole bytes, so every `begin` is a multiple of 8.
  at::parallel_for(0, clip_mask.numel(), at::internal::GRAIN_SIZE / 8, [&](int64_t first, int64_t last) {
    kernels::relu(args, 8 * first, std::min(8 * last, x.numel()));
  });
  return {y, clip_mask};
}

struct ReluFunction : torch::autograd::Function<ReluFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [y, clip_mask] = ops::relu(x);
    context->save_for_backward({clip_mask});
    context->mark_non_differentiable({clip_mask});
    return {y, clip_mask};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    return {fake_quantize_backward(grads[0], context->get_saved_variables()[0])};
  }
};

std::tuple<Tensor, Tensor> relu_autograd(const Tensor& x) {
  const variable_list outputs = ReluFunction::apply(x);
  return {outputs[0], outputs[1]};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("relu", relu_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("relu", relu_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("relu", relu_autograd);
}

}  // namespace samebits::ops
