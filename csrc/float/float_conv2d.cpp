// torch operator over kernels/conv/float_conv2d.h: schema, checks, CPU, Meta, autograd.
#include "csrc/float/float_conv2d.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/region_threads.h"
#include "kernels/conv/float_conv2d.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "float_conv2d(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] dilation,"
      " int groups, Tensor? channel_scale=None) -> Tensor");
}

namespace {

constexpr int64_t kMaxWindow = int64_t{1} << 15;  // so that no size of a window overflows

void check_pair(const char* argument, const std::array<int64_t, 2>& values, int64_t least) {
  const auto fits = [&](int64_t value) { return value >= least && value <= kMaxWindow; };
  TORCH_CHECK(fits(values[0]) && fits(values[1]), "[float_conv2d] ", argument, ": expected 2 integers in ",
              least, "..", kMaxWindow, ", got ", at::IntArrayRef(values));
}

c10::SymInt output_size(const FloatConv2dCall& call, int64_t axis) {
  const auto i = static_cast<size_t>(axis);
  const c10::SymInt padded = call.x.sym_size(2 + axis) + 2 * call.window.padding[i];
  const c10::SymInt span = (call.weight.sym_size(2 + axis) - 1) * call.window.dilation[i] + 1;
  TORCH_CHECK(padded >= span, "[float_conv2d] x: expected a window within ", padded, " padded elements, got ",
              span);
  return (padded - span) / call.window.stride[i] + 1;
}

}  // namespace

Tensor empty_float_conv2d(const FloatConv2dCall& call) {
  const Tensor &x = call.x, &weight = call.weight;
  const int64_t groups = call.window.groups;
  check_dtype("float_conv2d", "x", x, at::kFloat);
  check_dtype("float_conv2d", "weight", weight, at::kFloat);
  check_pair("stride", call.window.stride, 1);
  check_pair("padding", call.window.padding, 0);
  check_pair("dilation", call.window.dilation, 1);
  TORCH_CHECK(weight.dim() == 4 && weight.sym_numel() > 0,
              "[float_conv2d] weight: expected [out, in / groups, height, width] of sizes >= 1, got shape ",
              weight.sym_sizes());
  TORCH_CHECK(groups >= 1 && weight.sym_size(0) % groups == 0,
              "[float_conv2d] groups: expected a divisor of ", weight.sym_size(0), " output channels, got ",
              groups);
  TORCH_CHECK(x.dim() == 4 && x.sym_size(1) == weight.sym_size(1) * groups, "[float_conv2d] x: expected [n, ",
              weight.sym_size(1) * groups, ", height, width], got shape ", x.sym_sizes());
  check_channel_values("float_conv2d", "bias", call.bias, weight);
  check_channel_values("float_conv2d", "channel_scale", call.channel_scale, weight);
  return at::empty_symint({x.sym_size(0), weight.sym_size(0), output_size(call, 0), output_size(call, 1)},
                          x.options().memory_format(at::MemoryFormat::Contiguous));
}

kernels::Conv2dShape float_conv2d_shape(const FloatConv2dCall& call) {
  const Tensor &x = call.x, &weight = call.weight;
  const Conv2dWindow& window = call.window;
  return {.in_channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .out_channels = weight.size(0),
          .kernel_height = weight.size(2),
          .kernel_width = weight.size(3),
          .stride_height = window.stride[0],
          .stride_width = window.stride[1],
          .padding_height = window.padding[0],
          .padding_width = window.padding[1],
          .dilation_height = window.dilation[0],
          .dilation_width = window.dilation[1],
          .groups = window.groups};
}

namespace {

Tensor float_conv2d_cpu(const FloatConv2dCall& call) {
  Tensor y = empty_float_conv2d(call);
  if (y.numel() == 0) return y;
  const Tensor x = call.x.contiguous(), weight = call.weight.contiguous();
  Tensor bias, channel_scale;
  const kernels::Conv2dShape shape = float_conv2d_shape(call);
  const kernels::FloatConv2dArgs args{x.const_data_ptr<float>(), weight.const_data_ptr<float>(),
                                      floats_or_null(call.bias, bias), y.mutable_data_ptr<float>(),
                                      floats_or_null(call.channel_scale, channel_scale)};
  const int64_t items = kernels::float_conv2d_work_items(shape, x.size(0));
  const int64_t products = std::max<int64_t>(y.numel() * shape.depth() / items, 1);
  at::parallel_for(0, items, std::max<int64_t>(kLeastProductsToShare / products, 1),
                   [&](int64_t begin, int64_t end) { kernels::float_conv2d(args, shape, begin, end); });
  return y;
}

struct FloatConv2dFunction : torch::autograd::Function<FloatConv2dFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& /*x*/, const Tensor& /*weight*/,
                        const OptionalTensor& bias, const OptionalTensor& /*channel_scale*/,
                        const FloatConv2dCall& call) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    save_call(context, call);
    context->saved_data["has_bias"] = bias.has_value();  // an absent one is no autograd input
    return call_operator(call);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto call = saved_call<FloatConv2dCall>(context);
    const Conv2dWindow& window = call.window;
    const bool has_bias = context->saved_data["has_bias"].toBool(),
               has_factor = call.channel_scale.has_value();
    const bool wants_weight = context->needs_input_grad(1),
               wants_factor = has_factor && context->needs_input_grad(has_bias ? 3 : 2);
    const Tensor factor = has_factor ? call.channel_scale->view({-1, 1, 1, 1}) : Tensor();
    auto [grad_x, grad_weight, grad_bias] = at::convolution_backward(
        grads[0], call.x, has_factor ? call.weight * factor : call.weight,
        /*bias_sizes=*/std::vector<int64_t>{call.weight.size(0)}, window.stride, window.padding,
        window.dilation, /*transposed=*/false, /*output_padding=*/std::vector<int64_t>{0, 0}, window.groups,
        {context->needs_input_grad(0), wants_weight || wants_factor,
         has_bias && context->needs_input_grad(2)});
    const Tensor grad_factor = wants_factor ? (grad_weight * call.weight).sum({1, 2, 3}) : Tensor();
    if (has_factor && wants_weight) grad_weight = grad_weight * factor;
    return {grad_x, wants_weight ? grad_weight : Tensor(), grad_bias, grad_factor, Tensor()};
  }
};

Tensor float_conv2d_autograd(const FloatConv2dCall& call) {
  return FloatConv2dFunction::apply(call.x, call.weight, call.bias, call.channel_scale, call);
}

}  // namespace

Tensor float_conv2d(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                    const Conv2dWindow& window, const OptionalTensor& channel_scale) {
  return call_operator(FloatConv2dCall{x, weight, bias, window, channel_scale});
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("float_conv2d", unpacked<float_conv2d_cpu>);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("float_conv2d", unpacked<empty_float_conv2d>);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("float_conv2d", unpacked<float_conv2d_autograd>);
}

}  // namespace samebits::ops
