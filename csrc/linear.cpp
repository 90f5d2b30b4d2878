// torch operator samebits::linear over kernels/linear.h: schema, checks, CPU, Meta, autograd.
#include "csrc/linear.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/check.h"
#include "csrc/fake_quantize.h"
#include "csrc/int_mm.h"
#include "csrc/quantize.h"
#include "kernels/epilogue.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "linear(Tensor x, Tensor weight, Tensor? bias, Tensor x_scale, Tensor x_zero_point, int x_qmin, int "
      "x_qmax,"
      " Tensor weight_scale, Tensor? weight_zero_point, int weight_qmin, int weight_qmax, int group_size=0)"
      " -> (Tensor y, Tensor x_codes, Tensor clip_mask, Tensor saw_nan)");
}

namespace {

using LinearSignature = LayerOutputs(const Tensor&, const Tensor&, const OptionalTensor&, const Tensor&,
                                     const Tensor&, int64_t, int64_t, const Tensor&, const OptionalTensor&,
                                     int64_t, int64_t, int64_t);

void check_linear(const LayerArguments& a) {
  TORCH_CHECK(a.weight.dim() == 2, "[linear] weight: expected [out_features, in_features], got shape ",
              a.weight.sizes());
  TORCH_CHECK(a.x.dim() >= 1 && a.x.size(-1) == a.weight.size(1), "[linear] x: expected [..., ",
              a.weight.size(1), "], got shape ", a.x.sizes());
  check_layer(a, a.weight.size(1), "in_features");
}

Tensor empty_output(const Tensor& x, const Tensor& weight) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return at::empty(shape, x.options());
}

LayerOutputs linear_meta(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                         const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax,
                         const Tensor& weight_scale, const OptionalTensor& weight_zero_point,
                         int64_t weight_qmin, int64_t weight_qmax, int64_t group_size) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size};
  check_linear({"linear", x, weight, bias, x_grid, weight_grid});
  auto [codes, clip_mask, saw_nan] = quantize(x, x_scale, x_zero_point, x_qmin, x_qmax);
  return {empty_output(x, weight), codes, clip_mask, saw_nan};
}

/// Products by at::_int_mm, then the epilogue row by row.
void linear_by_int_mm(const kernels::PreparedWeights& weights, const kernels::LayerTerms& terms,
                      const Tensor& x_codes, float* y) {
  const Tensor centered =
      at::from_blob(const_cast<int8_t*>(weights.centered.data()), {weights.n, weights.k}, at::kChar);
  const Tensor products = int_mm(x_codes.reshape({-1, weights.k}), centered).contiguous();
  const kernels::ChannelTerms channel_terms{terms.correction.data(), terms.scale.data(), terms.bias};
  const int32_t* data = products.const_data_ptr<int32_t>();
  at::parallel_for(
      0, products.size(0), 1 + at::internal::GRAIN_SIZE / weights.n, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
          kernels::epilogue_row(data + row * weights.n, channel_terms, y + row * weights.n, weights.n);
      });
}

LayerOutputs linear_cpu(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                        const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax,
                        const Tensor& weight_scale, const OptionalTensor& weight_zero_point,
                        int64_t weight_qmin, int64_t weight_qmax, int64_t group_size) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size};
  const LayerArguments arguments{"linear", x, weight, bias, x_grid, weight_grid};
  check_linear(arguments);
  const kernels::AffineGrid grid = activation_grid("linear", x_grid);
  auto [codes, clip_mask, saw_nan] = quantize(x, x_scale, x_zero_point, x_qmin, x_qmax);
  const Tensor y = empty_output(x, weight);
  if (y.numel() == 0) return {y, codes, clip_mask, saw_nan};

  const bool by_int_mm = group_size == 0 && weight.size(1) >= kLeastIntMmDepth && why_not_int_mm().empty();
  const kernels::PreparedWeights weights = quantized_weights(arguments, /*pack=*/!by_int_mm);
  Tensor bias_holder;
  const kernels::LayerTerms terms = kernels::layer_terms(weights, grid, bias_data(bias, bias_holder));
  float* y_data = y.mutable_data_ptr<float>();
  if (by_int_mm) {
    linear_by_int_mm(weights, terms, codes, y_data);
  } else {
    const int64_t work = std::max<int64_t>(weights.n * weights.k, 1);
    at::parallel_for(0, y.numel() / weights.n, 1 + (int64_t{1} << 18) / work,
                     [&](int64_t begin, int64_t end) {
                       kernels::linear(weights, terms, codes.const_data_ptr<int8_t>(), y_data, begin, end);
                     });
  }
  return {y, codes, clip_mask, saw_nan};
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                               const OptionalTensor& bias, const ActivationGrid& x_grid,
                               const WeightGrid& weight_grid) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const LayerOutput out = linear(x, weight, bias, x_grid, weight_grid);
    // The scale and zero point of x may move before backward runs: the ones of this call are kept. The weight
    // is kept by reference, as torch's own linear does.
    context->save_for_backward({out.x_codes, out.clip_mask, x_grid.scale.clone(), x_grid.zero_point.clone(),
                                weight, weight_grid.scale, weight_grid.zero_point.value_or(Tensor())});
    context->saved_data["x_range"] = std::vector<int64_t>{x_grid.qmin, x_grid.qmax};
    context->saved_data["weight_range"] =
        std::vector<int64_t>{weight_grid.qmin, weight_grid.qmax, weight_grid.group_size};
    context->saved_data["has_bias"] =
        bias.has_value() && bias->defined();  // an absent one is no autograd input
    context->mark_non_differentiable({out.x_codes, out.clip_mask, out.saw_nan});
    return {out.y, out.x_codes, out.clip_mask, out.saw_nan};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const auto x_range = context->saved_data["x_range"].toIntVector();
    const auto weight_range = context->saved_data["weight_range"].toIntVector();
    const bool has_bias = context->saved_data["has_bias"].toBool();
    const Tensor &x_codes = saved[0], &clip_mask = saved[1], &weight = saved[4];
    const LayerReals reals =
        layer_reals(x_codes, {saved[2], saved[3], x_range[0], x_range[1]}, weight,
                    {saved[5], saved[6], weight_range[0], weight_range[1], weight_range[2]});
    const Tensor grad_y = grads[0].reshape({-1, weight.size(0)});
    Tensor grad_x, grad_weight, grad_bias;
    if (context->needs_input_grad(0))
      grad_x = fake_quantize_backward(at::mm(grad_y, reals.weight).reshape(x_codes.sizes()), clip_mask);
    if (context->needs_input_grad(1))
      grad_weight = fake_quantize_backward(at::mm(grad_y.t(), reals.x.reshape({-1, weight.size(1)})),
                                           reals.weight_clip_mask);
    if (has_bias && context->needs_input_grad(2)) grad_bias = grad_y.sum(0);
    return {grad_x, grad_weight, grad_bias, {}, {}};
  }
};

LayerOutputs linear_autograd(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                             const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin,
                             int64_t x_qmax, const Tensor& weight_scale,
                             const OptionalTensor& weight_zero_point, int64_t weight_qmin,
                             int64_t weight_qmax, int64_t group_size) {
  const variable_list out = LinearFunction::apply(
      x, weight, bias, ActivationGrid{x_scale, x_zero_point, x_qmin, x_qmax},
      WeightGrid{weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size});
  return {out[0], out[1], out[2], out[3]};
}

}  // namespace

LayerOutput linear(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                   const ActivationGrid& x_grid, const WeightGrid& weight_grid) {
  static const auto op = find_op<LinearSignature>("samebits::linear");
  auto [y, x_codes, clip_mask, saw_nan] =
      op.call(x, weight, bias, x_grid.scale, x_grid.zero_point, x_grid.qmin, x_grid.qmax, weight_grid.scale,
              weight_grid.zero_point, weight_grid.qmin, weight_grid.qmax, weight_grid.group_size);
  return {y, x_codes, clip_mask, saw_nan};
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("linear", linear_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("linear", linear_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("linear", linear_autograd);
}

}  // namespace samebits::ops
