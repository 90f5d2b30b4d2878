// torch operator over kernels/conv/float_conv2d.h: schema, checks, CPU, Meta, autograd.
#include "csrc/float/float_conv2d.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/region_threads.h"
#include "kernels/conv/float_conv2d.h"

namespace samebits::ops {

using at::IntArrayRef;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "float_conv2d(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] dilation, "
      "int "
      "groups) -> Tensor");
}

Tensor float_conv2d(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, IntArrayRef stride,
                    IntArrayRef padding, IntArrayRef dilation, int64_t groups) {
  static const auto op = find_op<decltype(float_conv2d)>("samebits::float_conv2d");
  return op.call(x, weight, bias, stride, padding, dilation, groups);
}

namespace {

constexpr int64_t kMaxWindow = int64_t{1} << 15;  // so that no size of a window overflows

void check_pair(const char* argument, IntArrayRef values, int64_t least) {
  const auto fits = [&](int64_t value) { return value >= least && value <= kMaxWindow; };
  TORCH_CHECK(values.size() == 2 && fits(values[0]) && fits(values[1]), "[float_conv2d] ", argument,
              ": expected 2 integers in ", least, "..", kMaxWindow, ", got ", values);
}

c10::SymInt output_size(const Tensor& x, const Tensor& weight, int64_t axis, IntArrayRef stride,
                        IntArrayRef padding, IntArrayRef dilation) {
  const auto i = static_cast<size_t>(axis);
  const c10::SymInt padded = x.sym_size(2 + axis) + 2 * padding[i];
  const c10::SymInt span = (weight.sym_size(2 + axis) - 1) * dilation[i] + 1;
  TORCH_CHECK(padded >= span, "[float_conv2d] x: expected a window within ", padded, " padded elements, got ",
              span);
  return (padded - span) / stride[i] + 1;
}

Tensor float_conv2d_meta(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                         IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation, int64_t groups) {
  check_dtype("float_conv2d", "x", x, at::kFloat);
  check_dtype("float_conv2d", "weight", weight, at::kFloat);
  check_pair("stride", stride, 1);
  check_pair("padding", padding, 0);
  check_pair("dilation", dilation, 1);
  TORCH_CHECK(weight.dim() == 4 && weight.sym_numel() > 0,
              "[float_conv2d] weight: expected [out, in / groups, height, width] of sizes >= 1, got shape ",
              weight.sym_sizes());
  TORCH_CHECK(groups >= 1 && weight.sym_size(0) % groups == 0,
              "[float_conv2d] groups: expected a divisor of ", weight.sym_size(0), " output channels, got ",
              groups);
  TORCH_CHECK(x.dim() == 4 && x.sym_size(1) == weight.sym_size(1) * groups, "[float_conv2d] x: expected [n, ",
              weight.sym_size(1) * groups, ", height, width], got shape ", x.sym_sizes());
  if (bias.has_value()) {
    check_dtype("float_conv2d", "bias", *bias, at::kFloat);
    TORCH_CHECK(bias->dim() == 1 && bias->sym_size(0) == weight.sym_size(0),
                "[float_conv2d] bias: expected [", weight.sym_size(0), "], got shape ", bias->sym_sizes());
  }
  return at::empty_symint(
      {x.sym_size(0), weight.sym_size(0), output_size(x, weight, 0, stride, padding, dilation),
       output_size(x, weight, 1, stride, padding, dilation)},
      x.options().memory_format(at::MemoryFormat::Contiguous));
}

Tensor float_conv2d_cpu(const Tensor& x_any, const Tensor& weight_any, const OptionalTensor& bias_any,
                        IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation, int64_t groups) {
  Tensor y = float_conv2d_meta(x_any, weight_any, bias_any, stride, padding, dilation, groups);
  if (y.numel() == 0) return y;
  const Tensor x = x_any.contiguous(), weight = weight_any.contiguous();
  const Tensor bias = bias_any.has_value() ? bias_any->contiguous() : Tensor();
  const kernels::Conv2dShape shape{.in_channels = x.size(1),
                                   .height = x.size(2),
                                   .width = x.size(3),
                                   .out_channels = weight.size(0),
                                   .kernel_height = weight.size(2),
                                   .kernel_width = weight.size(3),
                                   .stride_height = stride[0],
                                   .stride_width = stride[1],
                                   .padding_height = padding[0],
                                   .padding_width = padding[1],
                                   .dilation_height = dilation[0],
                                   .dilation_width = dilation[1],
                                   .groups = groups};
  const kernels::FloatConv2dArgs args{x.const_data_ptr<float>(), weight.const_data_ptr<float>(),
                                      bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                                      y.mutable_data_ptr<float>()};
  const int64_t items = kernels::float_conv2d_work_items(shape, x.size(0));
  const int64_t products = std::max<int64_t>(y.numel() * shape.depth() / items, 1);
  at::parallel_for(0, items, std::max<int64_t>(kLeastProductsToShare / products, 1),
                   [&](int64_t begin, int64_t end) { kernels::float_conv2d(args, shape, begin, end); });
  return y;
}

struct FloatConv2dFunction : torch::autograd::Function<FloatConv2dFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const OptionalTensor& bias, IntArrayRef stride, IntArrayRef padding,
                        IntArrayRef dilation, int64_t groups) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = stride.vec();
    context->saved_data["padding"] = padding.vec();
    context->saved_data["dilation"] = dilation.vec();
    context->saved_data["groups"] = groups;
    context->saved_data["has_bias"] = bias.has_value();
    return ops::float_conv2d(x, weight, bias, stride, padding, dilation, groups);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const auto pair = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    // The context counts tensors that are there: without a bias there is no third.
    const bool wants_bias = context->saved_data["has_bias"].toBool() && context->needs_input_grad(2);
    const auto [grad_x, grad_weight, grad_bias] = at::convolution_backward(
        grads[0], saved[0], saved[1], /*bias_sizes=*/std::vector<int64_t>{saved[1].size(0)}, pair("stride"),
        pair("padding"), pair("dilation"), /*transposed=*/false,
        /*output_padding=*/std::vector<int64_t>{0, 0}, context->saved_data["groups"].toInt(),
        {context->needs_input_grad(0), context->needs_input_grad(1), wants_bias});
    return {grad_x, grad_weight, grad_bias, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

Tensor float_conv2d_autograd(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                             IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation, int64_t groups) {
  return FloatConv2dFunction::apply(x, weight, bias, stride, padding, dilation, groups);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("float_conv2d", float_conv2d_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("float_conv2d", float_conv2d_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("float_conv2d", float_conv2d_autograd);
}

}  // namespace samebits::ops
