// torch operators over kernels/quantize/fake_quantize.h and kernels/quantize/lsq.h: schema, checks, CPU,
// Meta, autograd.
#include "csrc/quantize/fake_quantize_learned.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <cmath>
#include <vector>

#include "csrc/common/check.h"
#include "csrc/common/second_derivative.h"
#include "csrc/quantize/grids.h"
#include "csrc/quantize/straight_through.h"
#include "kernels/quantize/lsq.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "fake_quantize_learned(Tensor x, Tensor scale, Tensor zero_point, int qmin, int qmax, int axis=0,"
      " int group_size=0) -> (Tensor y, Tensor clip_mask, Tensor saw_nan)");
  library.def(
      "fake_quantize_learned_backward(Tensor grad_y, Tensor x, Tensor scale, Tensor zero_point, int qmin,"
      " int qmax, int axis=0, int group_size=0) -> (Tensor grad_x, Tensor grad_scale, Tensor "
      "grad_zero_point)");
}

FakeQuantized fake_quantize_learned(const Tensor& x, const Tensor& scale, const Tensor& zero_point,
                                    int64_t qmin, int64_t qmax, int64_t axis, int64_t group_size) {
  static const auto op = find_op<decltype(fake_quantize_learned)>("samebits::fake_quantize_learned");
  return op.call(x, scale, zero_point, qmin, qmax, axis, group_size);
}

std::tuple<Tensor, Tensor, Tensor> fake_quantize_learned_backward(const Tensor& grad_y, const Tensor& x,
                                                                  const Tensor& scale,
                                                                  const Tensor& zero_point, int64_t qmin,
                                                                  int64_t qmax, int64_t axis,
                                                                  int64_t group_size) {
  static const auto op =
      find_op<decltype(fake_quantize_learned_backward)>("samebits::fake_quantize_learned_backward");
  return op.call(grad_y, x, scale, zero_point, qmin, qmax, axis, group_size);
}

namespace {

using Gradients = std::tuple<Tensor, Tensor, Tensor>;

constexpr char kOp[] = "fake_quantize_learned";

/// The int32 zero points that are used.
Tensor integer_zero_point(const Tensor& zero_point_any, int64_t qmin, int64_t qmax) {
  if (zero_point_any.scalar_type() == at::kInt) return zero_point_any;
  const Tensor zero_point = zero_point_any.contiguous();
  const Tensor integers = at::empty_like(zero_point, at::kInt);
  for (int64_t i = 0; i < zero_point.numel(); ++i) {
    const float value = zero_point.const_data_ptr<float>()[i];
    TORCH_CHECK(std::isfinite(value), "[fake_quantize_learned] zero_point: expected a finite value, got ",
                value, "; lower its learning rate");
    const float limited =
        std::fmin(std::fmax(std::rint(value), static_cast<float>(qmin)), static_cast<float>(qmax));
    integers.mutable_data_ptr<int32_t>()[i] = static_cast<int32_t>(limited);
  }
  return integers;
}

/// A scale that training has driven to where none may be has another remedy than one that was never observed.
void check_scale_values(const Tensor& scale_any) {
  const Tensor scale = scale_any.contiguous();
  for (int64_t i = 0; i < scale.numel(); ++i) {
    const float value = scale.const_data_ptr<float>()[i];
    TORCH_CHECK(std::isfinite(value) && value >= kernels::kMinScale,
                "[fake_quantize_learned] scale: expected a finite value >= 2^-126, got ", value,
                "; start from an observed scale, and lower its learning rate");
  }
}

FakeQuantized learned_meta(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                           int64_t qmax, int64_t axis, int64_t group_size) {
  check_learned_shapes(x, scale, zero_point, qmin, qmax, axis, group_size);
  return empty_fake_quantized(x);
}

FakeQuantized learned_cpu(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                          int64_t qmax, int64_t axis, int64_t group_size) {
  check_learned_shapes(x, scale, zero_point, qmin, qmax, axis, group_size);
  check_scale_values(scale);
  return fake_quantize(x, scale, integer_zero_point(zero_point, qmin, qmax), qmin, qmax, axis, group_size);
}

Gradients backward_meta(const Tensor& grad_y, const Tensor& x, const Tensor& scale, const Tensor& zero_point,
                        int64_t qmin, int64_t qmax, int64_t axis, int64_t group_size) {
  check_learned_shapes(x, scale, zero_point, qmin, qmax, axis, group_size);
  check_dtype("fake_quantize_learned_backward", "grad_y", grad_y, x.scalar_type());
  TORCH_CHECK(grad_y.sym_sizes() == x.sym_sizes(),
              "[fake_quantize_learned_backward] grad_y: expected the shape of x, ", x.sym_sizes(), ", got ",
              grad_y.sym_sizes());
  return {at::empty_like(x, at::MemoryFormat::Contiguous),
          at::empty_like(scale, at::MemoryFormat::Contiguous),
          at::empty_like(scale, at::MemoryFormat::Contiguous)};
}

Gradients backward_cpu(const Tensor& grad_any, const Tensor& x_any, const Tensor& scale,
                       const Tensor& zero_point, int64_t qmin, int64_t qmax, int64_t axis,
                       int64_t group_size) {
  auto [grad_x, grad_scale, grad_zero_point] =
      backward_meta(grad_any, x_any, scale, zero_point, qmin, qmax, axis, group_size);
  const Tensor grad_y = grad_any.contiguous(), x = x_any.contiguous();
  const Tensor integers = integer_zero_point(zero_point, qmin, qmax);
  const Grids grids = checked_grids({kOp, "", scale, integers, qmin, qmax, axis, group_size}, x);
  const kernels::LsqArgs args{x.const_data_ptr(), grad_y.const_data_ptr(), grad_x.mutable_data_ptr(),
                              float_type(kOp, "x", x)};
  const int64_t n = x.numel(), slots = kernels::LsqLayout(grids.table, n).slots();
  std::vector<kernels::LsqSums> sums(slots);
  const int64_t grain = std::max<int64_t>(1, slots * at::internal::GRAIN_SIZE / std::max<int64_t>(n, 1));
  at::parallel_for(0, slots, grain, [&](int64_t begin, int64_t end) {
    kernels::lsq_backward(args, grids.table, n, sums.data(), begin, end);
  });
  kernels::lsq_fold(sums.data(), grids.table, n, grad_scale.mutable_data_ptr<float>(),
                    grad_zero_point.mutable_data_ptr<float>());
  return {grad_x, grad_scale, grad_zero_point};
}

struct LearnedFunction : torch::autograd::Function<LearnedFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& scale,
                               const Tensor& zero_point, int64_t qmin, int64_t qmax, int64_t axis,
                               int64_t group_size) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [y, clip_mask, saw_nan] = fake_quantize_learned(x, scale, zero_point, qmin, qmax, axis, group_size);
    context->save_for_backward({x, scale, zero_point});
    context->mark_non_differentiable({clip_mask, saw_nan});
    context->saved_data["codes"] = std::vector<int64_t>{qmin, qmax, axis, group_size};
    return {y, clip_mask, saw_nan};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<int64_t> codes = context->saved_data["codes"].toIntVector();
    auto [grad_x, grad_scale, grad_zero_point] = fake_quantize_learned_backward(
        grads[0], saved[0], saved[1], saved[2], codes[0], codes[1], codes[2], codes[3]);
    if (saved[2].scalar_type() == at::kInt) grad_zero_point = Tensor();
    return {grad_x, grad_scale, grad_zero_point, {}, {}, {}, {}};
  }
};

FakeQuantized learned_autograd(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                               int64_t qmax, int64_t axis, int64_t group_size) {
  const variable_list outputs = LearnedFunction::apply(x, scale, zero_point, qmin, qmax, axis, group_size);
  return {outputs[0], outputs[1], outputs[2]};
}

}  // namespace

/// A trained zero point stands in as integers of its shape.
void check_learned_shapes(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                          int64_t qmax, int64_t axis, int64_t group_size) {
  float_type(kOp, "x", x);
  const at::ScalarType type = zero_point.scalar_type();
  TORCH_CHECK(type == at::kInt || type == at::kFloat,
              "[fake_quantize_learned] zero_point: expected int32 (fixed) or float32 (trained), got ",
              c10::getDtypeNames(type).first, "; call .to(torch::kInt) or .to(torch::kFloat)");
  const Tensor integers = type == at::kInt ? zero_point : at::empty_like(zero_point, at::kInt);
  check_grid_shapes({kOp, "", scale, integers, qmin, qmax, axis, group_size}, x);
  TORCH_CHECK(qmax > 0, "[fake_quantize_learned] qmax: expected a value > 0, got ", qmax,
              "; the gradient of scale is divided by its root");
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("fake_quantize_learned", learned_cpu);
  library.impl("fake_quantize_learned_backward", backward_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("fake_quantize_learned", learned_meta);
  library.impl("fake_quantize_learned_backward", backward_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("fake_quantize_learned", learned_autograd);
  library.impl("fake_quantize_learned_backward", without_second_derivative());
}

}  // namespace samebits::ops
