// torch operators over kernels/quantize/fake_quantize.h: schema, checks, CPU, Meta, autograd. No arithmetic
// here; CUDA registers itself in csrc/quantize/cuda/fake_quantize.cpp.
#include "csrc/quantize/fake_quantize.h"

#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/quantize/clip_mask_threads.h"
#include "csrc/quantize/grids.h"
#include "csrc/quantize/straight_through.h"
#include "kernels/quantize/fake_quantize.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "fake_quantize(Tensor x, Tensor scale, Tensor zero_point, int qmin, int qmax, int axis=0, int "
      "group_size=0)"
      " -> (Tensor y, Tensor clip_mask, Tensor saw_nan)");
  library.def("fake_quantize_backward(Tensor grad_y, Tensor clip_mask) -> Tensor grad_x");
}

FakeQuantized fake_quantize(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                            int64_t qmax, int64_t axis, int64_t group_size) {
  static const auto op = find_op<decltype(fake_quantize)>("samebits::fake_quantize");
  return op.call(x, scale, zero_point, qmin, qmax, axis, group_size);
}

Tensor fake_quantize_backward(const Tensor& grad_y, const Tensor& clip_mask) {
  static const auto op = find_op<decltype(fake_quantize_backward)>("samebits::fake_quantize_backward");
  return op.call(grad_y, clip_mask);
}

namespace {

FakeQuantized fake_quantize_meta(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                                 int64_t qmax, int64_t axis, int64_t group_size) {
  float_type("fake_quantize", "x", x);
  check_grid_shapes({"fake_quantize", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  return empty_fake_quantized(x);
}

FakeQuantized fake_quantize_cpu(const Tensor& x_any, const Tensor& scale, const Tensor& zero_point,
                                int64_t qmin, int64_t qmax, int64_t axis, int64_t group_size) {
  const kernels::FloatType type = float_type("fake_quantize", "x", x_any);
  const Tensor x = x_any.contiguous();
  const Grids grids =
      checked_grids({"fake_quantize", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  auto [y, clip_mask, saw_nan] = empty_fake_quantized(x);
  const kernels::FakeQuantizeArgs args{.x = x.const_data_ptr(),
                                       .y = y.mutable_data_ptr(),
                                       .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                       .type = type};
  saw_nan.fill_(any_in_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    return kernels::fake_quantize(args, grids.table, begin, end);
  }));
  return {y, clip_mask, saw_nan};
}

Tensor fake_quantize_backward_meta(const Tensor& grad_y, const Tensor& clip_mask) {
  float_type("fake_quantize_backward", "grad_y", grad_y);
  check_dtype("fake_quantize_backward", "clip_mask", clip_mask, at::kByte);
  const c10::SymInt elements = grad_y.sym_numel(), bytes = (elements + 7) / 8;
  TORCH_CHECK(clip_mask.sym_numel() == bytes, "[fake_quantize_backward] clip_mask: expected ", bytes,
              " bytes for ", elements, " elements, got ", clip_mask.sym_numel());
  return at::empty_like(grad_y, at::MemoryFormat::Contiguous);
}

Tensor fake_quantize_backward_cpu(const Tensor& grad_any, const Tensor& mask_any) {
  const Tensor grad_x = fake_quantize_backward_meta(grad_any, mask_any);
  const Tensor grad_y = grad_any.contiguous(), clip_mask = mask_any.contiguous();
  const kernels::FloatType type = float_type("fake_quantize_backward", "grad_y", grad_y);
  at::parallel_for(0, grad_y.numel(), at::internal::GRAIN_SIZE, [&](int64_t begin, int64_t end) {
    kernels::fake_quantize_backward(grad_y.const_data_ptr(), clip_mask.const_data_ptr<uint8_t>(),
                                    grad_x.mutable_data_ptr(), begin, end, type);
  });
  return grad_x;
}

FakeQuantized fake_quantize_autograd(const Tensor& x, const Tensor& scale, const Tensor& zero_point,
                                     int64_t qmin, int64_t qmax, int64_t axis, int64_t group_size) {
  return straight_through(x,
                          [&] { return fake_quantize(x, scale, zero_point, qmin, qmax, axis, group_size); });
}

/// Linear in grad_y: the gradient of the gradient is masked alike.
struct MaskFunction : torch::autograd::Function<MaskFunction> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const Tensor& grad_y, const Tensor& clip_mask) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({clip_mask});
    return {fake_quantize_backward(grad_y, clip_mask)};
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    return {fake_quantize_backward(grads[0], context->get_saved_variables()[0]), Tensor()};
  }
};

Tensor fake_quantize_backward_autograd(const Tensor& grad_y, const Tensor& clip_mask) {
  return MaskFunction::apply(grad_y, clip_mask)[0];
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("fake_quantize", fake_quantize_cpu);
  library.impl("fake_quantize_backward", fake_quantize_backward_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("fake_quantize", fake_quantize_meta);
  library.impl("fake_quantize_backward", fake_quantize_backward_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("fake_quantize", fake_quantize_autograd);
  library.impl("fake_quantize_backward", fake_quantize_backward_autograd);
}

}  // namespace samebits::ops
