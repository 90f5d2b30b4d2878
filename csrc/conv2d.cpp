// torch operator samebits::conv2d over kernels/conv2d.h: schema, checks, CPU, Meta, autograd.
#include "csrc/conv2d.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/check.h"
#include "csrc/fake_quantize.h"
#include "csrc/quantize.h"
#include "kernels/conv2d.h"

namespace samebits::ops {

using at::IntArrayRef;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "conv2d(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] dilation, int groups,"
      " Tensor x_scale, Tensor x_zero_point, int x_qmin, int x_qmax, Tensor weight_scale,"
      " Tensor? weight_zero_point, int weight_qmin, int weight_qmax)"
      " -> (Tensor y, Tensor x_codes, Tensor clip_mask, Tensor saw_nan)");
}

namespace {

using Conv2dSignature = LayerOutputs(const Tensor&, const Tensor&, const OptionalTensor&, IntArrayRef, IntArrayRef,
                                     IntArrayRef, int64_t, const Tensor&, const Tensor&, int64_t, int64_t,
                                     const Tensor&, const OptionalTensor&, int64_t, int64_t);

std::array<int64_t, 2> pair_of(const char* argument, IntArrayRef values, int64_t least) {
  TORCH_CHECK(values.size() == 2 && values[0] >= least && values[1] >= least, "[conv2d] ", argument,
              ": expected 2 integers >= ", least, ", got ", values);
  return {values[0], values[1]};
}

kernels::Conv2dShape checked_shape(const LayerArguments& a, const Conv2dWindow& window) {
  TORCH_CHECK(a.weight.dim() == 4, "[conv2d] weight: expected [out, in / groups, height, width], got shape ",
              a.weight.sizes());
  TORCH_CHECK(window.groups >= 1 && a.weight.size(0) % window.groups == 0, "[conv2d] groups: expected a divisor of ",
              a.weight.size(0), " output channels, got ", window.groups);
  TORCH_CHECK(a.x.dim() == 4 && a.x.size(1) == a.weight.size(1) * window.groups, "[conv2d] x: expected [n, ",
              a.weight.size(1) * window.groups, ", height, width], got shape ", a.x.sizes());
  const kernels::Conv2dShape shape{.in_channels = a.x.size(1),
                                   .height = a.x.size(2),
                                   .width = a.x.size(3),
                                   .out_channels = a.weight.size(0),
                                   .kernel_height = a.weight.size(2),
                                   .kernel_width = a.weight.size(3),
                                   .stride_height = window.stride[0],
                                   .stride_width = window.stride[1],
                                   .padding_height = window.padding[0],
                                   .padding_width = window.padding[1],
                                   .dilation_height = window.dilation[0],
                                   .dilation_width = window.dilation[1],
                                   .groups = window.groups};
  const int64_t span_height = window.dilation[0] * (shape.kernel_height - 1) + 1;
  const int64_t span_width = window.dilation[1] * (shape.kernel_width - 1) + 1;
  TORCH_CHECK(shape.height + 2 * window.padding[0] >= span_height && shape.width + 2 * window.padding[1] >= span_width,
              "[conv2d] x: expected at least ", span_height, " x ", span_width, " padded pixels, got ",
              shape.height + 2 * window.padding[0], " x ", shape.width + 2 * window.padding[1]);
  check_layer(a, shape.depth(), "in_channels / groups * kernel size");
  return shape;
}

Tensor empty_output(const Tensor& x, const kernels::Conv2dShape& shape) {
  return at::empty({x.size(0), shape.out_channels, shape.out_height(), shape.out_width()},
                   x.options().memory_format(at::MemoryFormat::Contiguous));
}

LayerOutputs conv2d_meta(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, IntArrayRef stride,
                         IntArrayRef padding, IntArrayRef dilation, int64_t groups, const Tensor& x_scale,
                         const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax, const Tensor& weight_scale,
                         const OptionalTensor& weight_zero_point, int64_t weight_qmin, int64_t weight_qmax) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax};
  const Conv2dWindow window{pair_of("stride", stride, 1), pair_of("padding", padding, 0),
                            pair_of("dilation", dilation, 1), groups};
  const kernels::Conv2dShape shape = checked_shape({"conv2d", x, weight, bias, x_grid, weight_grid}, window);
  auto [codes, clip_mask, saw_nan] = quantize(x, x_scale, x_zero_point, x_qmin, x_qmax);
  return {empty_output(x, shape), codes, clip_mask, saw_nan};
}

LayerOutputs conv2d_cpu(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, IntArrayRef stride,
                        IntArrayRef padding, IntArrayRef dilation, int64_t groups, const Tensor& x_scale,
                        const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax, const Tensor& weight_scale,
                        const OptionalTensor& weight_zero_point, int64_t weight_qmin, int64_t weight_qmax) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax};
  const Conv2dWindow window{pair_of("stride", stride, 1), pair_of("padding", padding, 0),
                            pair_of("dilation", dilation, 1), groups};
  const LayerArguments arguments{"conv2d", x, weight, bias, x_grid, weight_grid};
  const kernels::Conv2dShape shape = checked_shape(arguments, window);
  const kernels::AffineGrid grid = activation_grid("conv2d", x_grid);
  auto [codes, clip_mask, saw_nan] = quantize(x, x_scale, x_zero_point, x_qmin, x_qmax);
  const Tensor y = empty_output(x, shape);
  if (y.numel() == 0) return {y, codes, clip_mask, saw_nan};

  const kernels::PreparedWeights weights = quantized_weights(arguments, /*pack=*/false);
  Tensor bias_holder;
  const kernels::LayerTerms terms = kernels::layer_terms(weights, grid, bias_data(bias, bias_holder));
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    kernels::conv2d(weights, terms, shape, grid, codes.const_data_ptr<int8_t>(), y.mutable_data_ptr<float>(), begin,
                    end);
  });
  return {y, codes, clip_mask, saw_nan};
}

struct Conv2dFunction : torch::autograd::Function<Conv2dFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                               const OptionalTensor& bias, const Conv2dWindow& window, const ActivationGrid& x_grid,
                               const WeightGrid& weight_grid) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const LayerOutput out = conv2d(x, weight, bias, window, x_grid, weight_grid);
    // As in linear.cpp: this call's scale and zero point, and the weight by reference.
    context->save_for_backward({out.x_codes, out.clip_mask, x_grid.scale.clone(), x_grid.zero_point.clone(), weight,
                                weight_grid.scale, weight_grid.zero_point.value_or(Tensor())});
    context->saved_data["ranges"] =
        std::vector<int64_t>{x_grid.qmin, x_grid.qmax, weight_grid.qmin, weight_grid.qmax};
    context->saved_data["stride"] = std::vector<int64_t>{window.stride[0], window.stride[1]};
    context->saved_data["padding"] = std::vector<int64_t>{window.padding[0], window.padding[1]};
    context->saved_data["dilation"] = std::vector<int64_t>{window.dilation[0], window.dilation[1]};
    context->saved_data["groups"] = window.groups;
    context->saved_data["has_bias"] = bias.has_value() && bias->defined();  // an absent one is no autograd input
    context->mark_non_differentiable({out.x_codes, out.clip_mask, out.saw_nan});
    return {out.y, out.x_codes, out.clip_mask, out.saw_nan};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const auto ranges = context->saved_data["ranges"].toIntVector();
    const bool has_bias = context->saved_data["has_bias"].toBool();
    const Tensor &x_codes = saved[0], &clip_mask = saved[1], &weight = saved[4];
    const LayerReals reals = layer_reals(x_codes, {saved[2], saved[3], ranges[0], ranges[1]}, weight,
                                         {saved[5], saved[6], ranges[2], ranges[3]});
    auto [grad_x, grad_weight, grad_bias] = at::convolution_backward(
        grads[0], reals.x, reals.weight, at::OptionalIntArrayRef({weight.size(0)}),
        context->saved_data["stride"].toIntVector(), context->saved_data["padding"].toIntVector(),
        context->saved_data["dilation"].toIntVector(), /*transposed=*/false, /*output_padding=*/{0, 0},
        context->saved_data["groups"].toInt(),
        {context->needs_input_grad(0), context->needs_input_grad(1),
         has_bias && context->needs_input_grad(2)});
    if (grad_x.defined()) grad_x = fake_quantize_backward(grad_x, clip_mask);
    if (grad_weight.defined()) grad_weight = fake_quantize_backward(grad_weight, reals.weight_clip_mask);
    return {grad_x, grad_weight, grad_bias, {}, {}, {}};
  }
};

LayerOutputs conv2d_autograd(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, IntArrayRef stride,
                             IntArrayRef padding, IntArrayRef dilation, int64_t groups, const Tensor& x_scale,
                             const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax, const Tensor& weight_scale,
                             const OptionalTensor& weight_zero_point, int64_t weight_qmin, int64_t weight_qmax) {
  const Conv2dWindow window{pair_of("stride", stride, 1), pair_of("padding", padding, 0),
                            pair_of("dilation", dilation, 1), groups};
  const variable_list out =
      Conv2dFunction::apply(x, weight, bias, window, ActivationGrid{x_scale, x_zero_point, x_qmin, x_qmax},
                            WeightGrid{weight_scale, weight_zero_point, weight_qmin, weight_qmax});
  return {out[0], out[1], out[2], out[3]};
}

}  // namespace

LayerOutput conv2d(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, const Conv2dWindow& window,
                   const ActivationGrid& x_grid, const WeightGrid& weight_grid) {
  static const auto op = find_op<Conv2dSignature>("samebits::conv2d");
  auto [y, x_codes, clip_mask, saw_nan] =
      op.call(x, weight, bias, window.stride, window.padding, window.dilation, window.groups, x_grid.scale,
              x_grid.zero_point, x_grid.qmin, x_grid.qmax, weight_grid.scale, weight_grid.zero_point,
              weight_grid.qmin, weight_grid.qmax);
  return {y, x_codes, clip_mask, saw_nan};
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) { library.impl("conv2d", conv2d_cpu); }
TORCH_LIBRARY_IMPL(samebits, Meta, library) { library.impl("conv2d", conv2d_meta); }
TORCH_LIBRARY_IMPL(samebits, Autograd, library) { library.impl("conv2d", conv2d_autograd); }

}  // namespace samebits::ops
