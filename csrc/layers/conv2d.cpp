// torch operator samebits::conv2d over kernels/conv/conv2d.h: schema, checks, CPU, Meta, autograd. Backward's
// arithmetic is in csrc/layers/conv2d_backward.cpp.
#include "csrc/layers/conv2d.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/layer_gradients.h"
#include "kernels/conv/conv2d.h"

namespace samebits::ops {

using at::IntArrayRef;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "conv2d(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] dilation, int "
      "groups,"
      " Tensor x_scale, Tensor x_zero_point, int x_qmin, int x_qmax, Tensor weight_scale,"
      " Tensor? weight_zero_point, int weight_qmin, int weight_qmax, Tensor? packed=None, bool "
      "relu_input=False,"
      " bool observe=False, str backward='f32')"
      " -> (Tensor y, Tensor x_codes, Tensor clip_mask, Tensor saw_nan, Tensor x_range)");
}

namespace {

using Conv2dSignature = LayerOutputs(const Tensor&, const Tensor&, const OptionalTensor&, IntArrayRef,
                                     IntArrayRef, IntArrayRef, int64_t, const Tensor&, const Tensor&, int64_t,
                                     int64_t, const Tensor&, const OptionalTensor&, int64_t, int64_t,
                                     const OptionalTensor&, bool, bool, std::string_view);

std::array<int64_t, 2> pair_of(const char* argument, IntArrayRef values, int64_t least) {
  TORCH_CHECK(values.size() == 2 && values[0] >= least && values[1] >= least, "[conv2d] ", argument,
              ": expected 2 integers >= ", least, ", got ", values);
  return {values[0], values[1]};
}

kernels::Conv2dShape checked_shape(const LayerArguments& a, const Conv2dWindow& window) {
  TORCH_CHECK(a.weight.dim() == 4, "[conv2d] weight: expected [out, in / groups, height, width], got shape ",
              a.weight.sizes());
  TORCH_CHECK(window.groups >= 1 && a.weight.size(0) % window.groups == 0,
              "[conv2d] groups: expected a divisor of ", a.weight.size(0), " output channels, got ",
              window.groups);
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
  TORCH_CHECK(shape.height + 2 * window.padding[0] >= span_height &&
                  shape.width + 2 * window.padding[1] >= span_width,
              "[conv2d] x: expected at least ", span_height, " x ", span_width, " padded pixels, got ",
              shape.height + 2 * window.padding[0], " x ", shape.width + 2 * window.padding[1]);
  check_layer(a, shape.depth(), "in_channels / groups * kernel size");
  return shape;
}

std::vector<int64_t> output_sizes(const Tensor& x, const kernels::Conv2dShape& shape) {
  return {x.size(0), shape.out_channels, shape.out_height(), shape.out_width()};
}

LayerOutputs conv2d_meta(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                         IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation, int64_t groups,
                         const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax,
                         const Tensor& weight_scale, const OptionalTensor& weight_zero_point,
                         int64_t weight_qmin, int64_t weight_qmax, const OptionalTensor& packed,
                         bool relu_input, bool observe, std::string_view backward) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax};
  const Conv2dWindow window{pair_of("stride", stride, 1), pair_of("padding", padding, 0),
                            pair_of("dilation", dilation, 1), groups};
  const LayerOptions options{relu_input, observe, backward_mode("conv2d", backward)};
  const LayerArguments arguments{"conv2d", x, weight, bias, x_grid, weight_grid, packed, options};
  const kernels::Conv2dShape shape = checked_shape(arguments, window);
  return to_tuple(empty_layer_output(arguments, output_sizes(x, shape)));
}

LayerOutputs conv2d_cpu(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, IntArrayRef stride,
                        IntArrayRef padding, IntArrayRef dilation, int64_t groups, const Tensor& x_scale,
                        const Tensor& x_zero_point, int64_t x_qmin, int64_t x_qmax,
                        const Tensor& weight_scale, const OptionalTensor& weight_zero_point,
                        int64_t weight_qmin, int64_t weight_qmax, const OptionalTensor& packed,
                        bool relu_input, bool observe, std::string_view backward) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax};
  const Conv2dWindow window{pair_of("stride", stride, 1), pair_of("padding", padding, 0),
                            pair_of("dilation", dilation, 1), groups};
  const LayerOptions options{relu_input, observe, backward_mode("conv2d", backward)};
  const LayerArguments arguments{"conv2d", x, weight, bias, x_grid, weight_grid, packed, options};
  const kernels::Conv2dShape shape = checked_shape(arguments, window);
  const kernels::AffineGrid grid = activation_grid("conv2d", x_grid);
  const LayerOutput out = quantized_input(arguments, grid, output_sizes(x, shape));
  if (out.y.numel() == 0) return to_tuple(out);

  const Tensor packed_now = packed_weight(arguments, WeightOrder::kConv2d);
  const kernels::PreparedWeights& weights =
      prepared_weights("conv2d", packed_now, weight, weight_grid, WeightOrder::kConv2d);
  Tensor bias_holder;
  const kernels::LayerTerms terms = kernels::layer_terms(weights, grid, bias_data(bias, bias_holder));
  const kernels::Conv2dOutput output{.data = out.y.mutable_data_ptr<float>()};
  const int64_t items = kernels::conv2d_work_items(shape, x.size(0));
  const int64_t work_of_one = out.y.numel() * shape.depth() / std::max<int64_t>(items, 1);
  at::parallel_for(0, items, 1 + (1 << 17) / std::max<int64_t>(work_of_one, 1),
                   [&](int64_t begin, int64_t end) {
                     kernels::conv2d(weights, terms, shape, grid, out.x_codes.const_data_ptr<int8_t>(),
                                     output, begin, end);
                   });
  return to_tuple(out);
}

struct Conv2dFunction : torch::autograd::Function<Conv2dFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                               const OptionalTensor& bias, const Conv2dWindow& window,
                               const LayerArguments& arguments) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const LayerOutput out =
        conv2d(x, bias, window, arguments.x_grid,
               {weight, arguments.weight_grid, arguments.packed.value_or(Tensor())}, arguments.options);
    save_layer(context, arguments, out);
    context->saved_data["window"] =
        std::vector<int64_t>{window.stride[0],   window.stride[1],   window.padding[0], window.padding[1],
                             window.dilation[0], window.dilation[1], window.groups};
    context->mark_non_differentiable({out.x_codes, out.clip_mask, out.saw_nan, out.x_range});
    return {out.y, out.x_codes, out.clip_mask, out.saw_nan, out.x_range};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const SavedLayer saved = saved_layer(context);
    const std::vector<int64_t> w = context->saved_data["window"].toIntVector();
    const Conv2dWindow window{{w[0], w[1]}, {w[2], w[3]}, {w[4], w[5]}, w[6]};
    const std::array<bool, 3> wanted = {context->needs_input_grad(0), context->needs_input_grad(1),
                                        saved.has_bias && context->needs_input_grad(2)};
    const auto [grad_x, grad_weight, grad_bias] = conv2d_gradients(saved, window, grads[0], wanted);
    return {grad_x, grad_weight, grad_bias, {}, {}};
  }
};

LayerOutputs conv2d_autograd(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                             IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation, int64_t groups,
                             const Tensor& x_scale, const Tensor& x_zero_point, int64_t x_qmin,
                             int64_t x_qmax, const Tensor& weight_scale,
                             const OptionalTensor& weight_zero_point, int64_t weight_qmin,
                             int64_t weight_qmax, const OptionalTensor& packed, bool relu_input, bool observe,
                             std::string_view backward) {
  const ActivationGrid x_grid{x_scale, x_zero_point, x_qmin, x_qmax};
  const WeightGrid weight_grid{weight_scale, weight_zero_point, weight_qmin, weight_qmax};
  const Conv2dWindow window{pair_of("stride", stride, 1), pair_of("padding", padding, 0),
                            pair_of("dilation", dilation, 1), groups};
  const LayerOptions options{relu_input, observe, backward_mode("conv2d", backward)};
  const LayerArguments arguments{"conv2d", x, weight, bias, x_grid, weight_grid, packed, options};
  const variable_list out = Conv2dFunction::apply(x, weight, bias, window, arguments);
  return {out[0], out[1], out[2], out[3], out[4]};
}

}  // namespace

LayerOutput conv2d(const Tensor& x, const OptionalTensor& bias, const Conv2dWindow& window,
                   const ActivationGrid& x_grid, const PackedWeight& weight, const LayerOptions& options) {
  static const auto op = find_op<Conv2dSignature>("samebits::conv2d");
  const OptionalTensor packed = weight.packed.defined() ? OptionalTensor(weight.packed) : std::nullopt;
  return from_tuple(op.call(x, weight.weight, bias, window.stride, window.padding, window.dilation,
                            window.groups, x_grid.scale, x_grid.zero_point, x_grid.qmin, x_grid.qmax,
                            weight.grid.scale, weight.grid.zero_point, weight.grid.qmin, weight.grid.qmax,
                            packed, options.relu_input, options.observe, backward_text(options.backward)));
}

LayerOutput conv2d(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                   const Conv2dWindow& window, const ActivationGrid& x_grid, const WeightGrid& weight_grid,
                   const LayerOptions& options) {
  return conv2d(x, bias, window, x_grid, PackedWeight{weight, weight_grid, Tensor()}, options);
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("conv2d", conv2d_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("conv2d", conv2d_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("conv2d", conv2d_autograd);
}

}  // namespace samebits::ops
