// torch operator over kernels/conv/max_pool.h: schema, checks, CPU, Meta, autograd.
#include "csrc/layers/max_pool2d.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/second_derivative.h"
#include "kernels/conv/max_pool.h"

namespace samebits::ops {

using at::IntArrayRef;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "max_pool2d(Tensor x, int[2] kernel, int[2] stride, int[2] padding) -> (Tensor y, Tensor argmax)");
  library.def(
      "max_pool2d_backward(Tensor grad_y, Tensor argmax, int[2] x_size, int[2] kernel, int[2] stride, int[2] "
      "padding) -> Tensor");
}

namespace {

using Pooled = std::tuple<Tensor, Tensor>;

/// The largest stride: no product of sizes then leaves int64.
constexpr int64_t kMaxStride = int64_t{1} << 31;

void check_pair(const char* op, const char* argument, IntArrayRef values, int64_t least) {
  TORCH_CHECK(values.size() == 2 && values[0] >= least && values[1] >= least, "[", op, "] ", argument,
              ": expected 2 integers >= ", least, ", got ", values);
  TORCH_CHECK(values[0] <= kMaxStride && values[1] <= kMaxStride, "[", op, "] ", argument,
              ": expected 2 integers <= ", kMaxStride, ", got ", values);
}

/// The shape of planes of `size` {height, width}. Throws c10::Error on a window that fits none.
kernels::MaxPoolShape checked_shape(const char* op, IntArrayRef size, const PoolWindow& window) {
  const auto& [kernel, stride, padding] = window;
  check_pair(op, "kernel", kernel, 1);
  check_pair(op, "stride", stride, 1);
  check_pair(op, "padding", padding, 0);
  TORCH_CHECK(kernel[0] <= 255 && kernel[1] <= 255 && kernel[0] * kernel[1] <= 255, "[", op,
              "] kernel: expected at most 255 elements, got ", kernel, "; use torch::max_pool2d");
  for (const int i : {0, 1}) {
    TORCH_CHECK(2 * padding[i] <= kernel[i], "[", op, "] padding: expected at most half of the kernel ",
                kernel, ", got ", padding);
    TORCH_CHECK(size[i] + 2 * padding[i] >= kernel[i], "[", op, "] x: expected at least ", kernel,
                " padded pixels, got planes of ", size, " and padding ", padding);
  }
  return {.height = size[0],
          .width = size[1],
          .kernel_height = kernel[0],
          .kernel_width = kernel[1],
          .stride_height = stride[0],
          .stride_width = stride[1],
          .padding_height = padding[0],
          .padding_width = padding[1]};
}

}  // namespace

kernels::MaxPoolShape max_pool2d_shape(const Tensor& x, const PoolWindow& window) {
  check_dtype("max_pool2d", "x", x, at::kFloat);
  TORCH_CHECK(x.dim() == 4, "[max_pool2d] x: expected [n, channels, height, width], got shape ",
              x.sym_sizes());
  const int64_t size[] = {x.sym_size(2).guard_int(__FILE__, __LINE__),
                          x.sym_size(3).guard_int(__FILE__, __LINE__)};
  return checked_shape("max_pool2d", size, window);
}

kernels::MaxPoolShape max_pool2d_backward_shape(const Tensor& grad_y, const Tensor& argmax,
                                                IntArrayRef x_size, const PoolWindow& window) {
  constexpr char kOp[] = "max_pool2d_backward";
  check_pair(kOp, "x_size", x_size, 0);
  const kernels::MaxPoolShape shape = checked_shape(kOp, x_size, window);
  check_dtype(kOp, "grad_y", grad_y, at::kFloat);
  check_dtype(kOp, "argmax", argmax, at::kByte);
  TORCH_CHECK(
      grad_y.dim() == 4 && grad_y.size(2) == shape.out_height() && grad_y.size(3) == shape.out_width(),
      "[max_pool2d_backward] grad_y: expected [n, channels, ", shape.out_height(), ", ", shape.out_width(),
      "], got shape ", grad_y.sizes());
  TORCH_CHECK(argmax.sizes() == grad_y.sizes(),
              "[max_pool2d_backward] argmax: expected the shape of grad_y, ", grad_y.sizes(), ", got ",
              argmax.sizes());
  return shape;
}

Pooled empty_max_pool2d(const Tensor& x, const PoolWindow& window) {
  const kernels::MaxPoolShape shape = max_pool2d_shape(x, window);
  const std::vector<c10::SymInt> sizes = {x.sym_size(0), x.sym_size(1), shape.out_height(),
                                          shape.out_width()};
  return {at::empty_symint(sizes, x.options()), at::empty_symint(sizes, x.options().dtype(at::kByte))};
}

Tensor empty_max_pool2d_gradient(const Tensor& grad_y, IntArrayRef x_size) {
  return at::empty_symint({grad_y.sym_size(0), grad_y.sym_size(1), x_size[0], x_size[1]}, grad_y.options());
}

namespace {

Pooled max_pool2d_meta(const Tensor& x, IntArrayRef kernel, IntArrayRef stride, IntArrayRef padding) {
  return empty_max_pool2d(x, {kernel, stride, padding});
}

Tensor max_pool2d_backward_meta(const Tensor& grad_y, const Tensor&, IntArrayRef x_size, IntArrayRef,
                                IntArrayRef, IntArrayRef) {
  return empty_max_pool2d_gradient(grad_y, x_size);
}

/// Calls body(begin, end) for planes, several threads at once.
template <class Body>
void parallel_planes(const kernels::MaxPoolShape& shape, int64_t planes, const Body& body) {
  const int64_t work = shape.out_size() * shape.kernel_height * shape.kernel_width;
  at::parallel_for(0, planes, 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(work, 1), body);
}

Pooled max_pool2d_cpu(const Tensor& x_any, IntArrayRef kernel, IntArrayRef stride, IntArrayRef padding) {
  const auto [y, argmax] = empty_max_pool2d(x_any, {kernel, stride, padding});
  const kernels::MaxPoolShape shape = max_pool2d_shape(x_any, {kernel, stride, padding});
  const Tensor x = x_any.contiguous();
  const float* from = x.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  auto* places = argmax.mutable_data_ptr<uint8_t>();
  parallel_planes(shape, x.size(0) * x.size(1), [&](int64_t begin, int64_t end) {
    kernels::max_pool(shape, from, to, places, begin, end);
  });
  return {y, argmax};
}

using BackwardSignature = Tensor(const Tensor&, const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef,
                                 IntArrayRef);

/// Every argument against the others, the places too.
kernels::MaxPoolShape checked_backward_shape(const Tensor& grad_y, const Tensor& argmax, IntArrayRef x_size,
                                             const PoolWindow& window) {
  const kernels::MaxPoolShape shape = max_pool2d_backward_shape(grad_y, argmax, x_size, window);
  const Tensor places = argmax.contiguous();
  const auto* place = places.const_data_ptr<uint8_t>();
  const int64_t wrong = kernels::first_place_outside(shape, place, 0, argmax.size(0) * argmax.size(1));
  TORCH_CHECK(wrong < 0, "[max_pool2d_backward] argmax: expected places of windows inside of planes of ",
              x_size, ", got ", int{place[std::max<int64_t>(wrong, 0)]}, " at element ", wrong);
  return shape;
}

Tensor max_pool2d_backward_cpu(const Tensor& grad_any, const Tensor& argmax_any, IntArrayRef x_size,
                               IntArrayRef kernel, IntArrayRef stride, IntArrayRef padding) {
  const kernels::MaxPoolShape shape =
      checked_backward_shape(grad_any, argmax_any, x_size, {kernel, stride, padding});
  const Tensor grad_y = grad_any.contiguous(), argmax = argmax_any.contiguous();
  const Tensor grad_x = empty_max_pool2d_gradient(grad_y, x_size);
  const float* from = grad_y.const_data_ptr<float>();
  const auto* places = argmax.const_data_ptr<uint8_t>();
  float* to = grad_x.mutable_data_ptr<float>();
  parallel_planes(shape, grad_y.size(0) * grad_y.size(1), [&](int64_t begin, int64_t end) {
    kernels::max_pool_backward(shape, from, places, to, begin, end);
  });
  return grad_x;
}

struct MaxPool2dFunction : torch::autograd::Function<MaxPool2dFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, IntArrayRef kernel,
                               IntArrayRef stride, IntArrayRef padding) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const auto [y, argmax] = ops::max_pool2d(x, kernel, stride, padding);
    context->save_for_backward({argmax});
    context->mark_non_differentiable({argmax});
    context->saved_data["window"] = std::vector<int64_t>{x.sym_size(2).guard_int(__FILE__, __LINE__),
                                                         x.sym_size(3).guard_int(__FILE__, __LINE__),
                                                         kernel[0],
                                                         kernel[1],
                                                         stride[0],
                                                         stride[1],
                                                         padding[0],
                                                         padding[1]};
    return {y, argmax};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const std::vector<int64_t> w = context->saved_data["window"].toIntVector();
    const auto pair = [&](std::size_t i) { return IntArrayRef(w).slice(i, 2); };
    static const auto op = find_op<BackwardSignature>("samebits::max_pool2d_backward");
    return {
        op.call(grads[0], context->get_saved_variables()[0], pair(0), pair(2), pair(4), pair(6)), {}, {}, {}};
  }
};

Pooled max_pool2d_autograd(const Tensor& x, IntArrayRef kernel, IntArrayRef stride, IntArrayRef padding) {
  const variable_list out = MaxPool2dFunction::apply(x, kernel, stride, padding);
  return {out[0], out[1]};
}

}  // namespace

Pooled max_pool2d(const Tensor& x, IntArrayRef kernel, IntArrayRef stride, IntArrayRef padding) {
  static const auto op =
      find_op<Pooled(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef)>("samebits::max_pool2d");
  return op.call(x, kernel, stride, padding);
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("max_pool2d", max_pool2d_cpu);
  library.impl("max_pool2d_backward", max_pool2d_backward_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("max_pool2d", max_pool2d_meta);
  library.impl("max_pool2d_backward", max_pool2d_backward_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("max_pool2d", max_pool2d_autograd);
  library.impl("max_pool2d_backward", without_second_derivative());
}

}  // namespace samebits::ops
