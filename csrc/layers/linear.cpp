// torch operator samebits::linear over kernels/matmul/linear.h: schema, checks, CPU, Meta, autograd.
// Backward's arithmetic is in csrc/layers/linear_backward.cpp.
#include "csrc/layers/linear.h"

#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/layer_gradients.h"
#include "csrc/layers/region_threads.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "linear(Tensor x, Tensor weight, Tensor? bias, Tensor x_scale, Tensor x_zero_point, int x_qmin, int "
      "x_qmax,"
      " Tensor weight_scale, Tensor? weight_zero_point, int weight_qmin, int weight_qmax, int group_size=0,"
      " Tensor? packed=None, bool relu_input=False, bool observe=False, str backward='f32')"
      " -> (Tensor y, Tensor x_codes, Tensor clip_mask, Tensor saw_nan, Tensor x_range)");
}

namespace {

using LinearSignature = LayerOutputs(const Tensor&, const Tensor&, const OptionalTensor&, const Tensor&,
                                     const Tensor&, int64_t, int64_t, const Tensor&, const OptionalTensor&,
                                     int64_t, int64_t, int64_t, const OptionalTensor&, bool, bool,
                                     std::string_view);

LayerOutputs linear_meta(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                         const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax,
                         const Tensor& weight_scale, const OptionalTensor& weight_zero_point,
                         int64_t weight_qmin, int64_t weight_qmax, int64_t group_size,
                         const OptionalTensor& packed, bool relu_input, bool observe,
                         std::string_view backward) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size};
  const LayerOptions options{relu_input, observe, backward_mode("linear", backward)};
  const LayerArguments arguments{"linear", x, weight, bias, x_grid, weight_grid, packed, options};
  return to_tuple(empty_layer_output(arguments, linear_output_sizes(arguments)));
}

void multiply(const kernels::PreparedWeights& weights, const kernels::LayerTerms& terms,
              const LayerOutput& out) {
  float* y = out.y.mutable_data_ptr<float>();
  const int8_t* codes = out.x_codes.const_data_ptr<int8_t>();
  const int64_t m = out.y.numel() / weights.n;
  for_each_part(m * weights.n * weights.k, [&](int64_t part, int64_t parts) {
    kernels::linear(weights, terms, codes, y, kernels::gemm_region(m, weights.n, part, parts));
  });
}

LayerOutputs linear_cpu(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                        const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax,
                        const Tensor& weight_scale, const OptionalTensor& weight_zero_point,
                        int64_t weight_qmin, int64_t weight_qmax, int64_t group_size,
                        const OptionalTensor& packed, bool relu_input, bool observe,
                        std::string_view backward) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size};
  const LayerOptions options{relu_input, observe, backward_mode("linear", backward)};
  const LayerArguments arguments{"linear", x, weight, bias, x_grid, weight_grid, packed, options};
  const std::vector<int64_t> sizes = linear_output_sizes(arguments);
  const kernels::AffineGrid grid = activation_grid("linear", x_grid);
  const LayerOutput out = quantized_input(arguments, grid, sizes);
  if (out.y.numel() == 0) return to_tuple(out);
  const Tensor packed_now = packed_weight(arguments, WeightOrder::kLinear);
  const kernels::PreparedWeights& weights =
      prepared_weights("linear", packed_now, weight, weight_grid, WeightOrder::kLinear);
  Tensor bias_holder;
  multiply(weights, kernels::layer_terms(weights, grid, bias_data(bias, bias_holder)), out);
  return to_tuple(out);
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                               const OptionalTensor& bias, const LayerArguments& arguments) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const LayerOutput out =
        linear(x, bias, arguments.x_grid,
               {weight, arguments.weight_grid, arguments.packed.value_or(Tensor())}, arguments.options);
    save_layer(context, arguments, out);
    context->mark_non_differentiable({out.x_codes, out.clip_mask, out.saw_nan, out.x_range});
    return {out.y, out.x_codes, out.clip_mask, out.saw_nan, out.x_range};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const SavedLayer saved = saved_layer(context);
    const std::array<bool, 3> wanted = {context->needs_input_grad(0), context->needs_input_grad(1),
                                        saved.has_bias && context->needs_input_grad(2)};
    const auto [grad_x, grad_weight, grad_bias] = linear_gradients(saved, grads[0], wanted);
    return {grad_x, grad_weight, grad_bias, {}};
  }
};

LayerOutputs linear_autograd(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                             const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin,
                             int64_t x_qmax, const Tensor& weight_scale,
                             const OptionalTensor& weight_zero_point, int64_t weight_qmin,
                             int64_t weight_qmax, int64_t group_size, const OptionalTensor& packed,
                             bool relu_input, bool observe, std::string_view backward) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax, group_size};
  const LayerOptions options{relu_input, observe, backward_mode("linear", backward)};
  const LayerArguments arguments{"linear", x, weight, bias, x_grid, weight_grid, packed, options};
  const variable_list out = LinearFunction::apply(x, weight, bias, arguments);
  return {out[0], out[1], out[2], out[3], out[4]};
}

}  // namespace

std::vector<int64_t> linear_output_sizes(const LayerArguments& a) {
  TORCH_CHECK(a.weight.dim() == 2, "[linear] weight: expected [out_features, in_features], got shape ",
              a.weight.sizes());
  TORCH_CHECK(a.x.dim() >= 1 && a.x.size(-1) == a.weight.size(1), "[linear] x: expected [..., ",
              a.weight.size(1), "], got shape ", a.x.sizes());
  check_layer(a, a.weight.size(1), "in_features");
  std::vector<int64_t> sizes = a.x.sizes().vec();
  sizes.back() = a.weight.size(0);
  return sizes;
}

LayerOutput linear(const Tensor& x, const OptionalTensor& bias, const ActivationGrid& x_grid,
                   const PackedWeight& weight, const LayerOptions& options) {
  static const auto op = find_op<LinearSignature>("samebits::linear");
  const OptionalTensor packed = weight.packed.defined() ? OptionalTensor(weight.packed) : std::nullopt;
  return from_tuple(op.call(x, weight.weight, bias, x_grid.scale, x_grid.zero_point, x_grid.qmin, x_grid.qmax,
                            weight.grid.scale, weight.grid.zero_point, weight.grid.qmin, weight.grid.qmax,
                            weight.grid.group_size, packed, options.relu_input, options.observe,
                            backward_text(options.backward)));
}

LayerOutput linear(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                   const ActivationGrid& x_grid, const WeightGrid& weight_grid, const LayerOptions& options) {
  return linear(x, bias, x_grid, PackedWeight{weight, weight_grid, Tensor()}, options);
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
