// torch operator samebits::conv2d over kernels/conv/conv2d.h: schema, checks, CPU, Meta, autograd. Backward's
// arithmetic is in csrc/layers/conv2d_backward.cpp.
#include "csrc/layers/conv2d.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/second_derivative.h"
#include "csrc/layers/conv2d_backward.h"
#include "csrc/layers/layer_autograd.h"
#include "kernels/conv/conv2d.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "conv2d(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] dilation, int "
      "groups,"
      " Tensor x_scale, Tensor x_zero_point, int x_qmin, int x_qmax, Tensor weight_scale,"
      " Tensor? weight_zero_point, int weight_qmin, int weight_qmax, bool relu_input=False,"
      " bool observe=False, str backward='f32', Tensor? channel_scale=None)"
      " -> (Tensor y, Tensor x_codes, Tensor clip_mask, Tensor saw_nan, Tensor x_range)");
  library.def(
      "conv2d.encoded(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] dilation,"
      " int groups, Tensor x_scale, Tensor x_zero_point, int x_qmin, int x_qmax, *, int weight_qmin,"
      " int weight_qmax, bool weight_symmetric=True, str weight_granularity='channel', bool relu_input=False,"
      " bool observe=False, str backward='f32', Tensor? channel_scale=None)"
      " -> (Tensor y, Tensor x_codes, Tensor clip_mask, Tensor saw_nan, Tensor x_range, Tensor weight_scale,"
      " Tensor weight_zero_point, Tensor weight_not_finite)");
  library.def(
      "conv2d_backward(Tensor grad_y, Tensor x_codes, Tensor clip_mask, Tensor x_scale, Tensor x_zero_point,"
      " int x_qmin, int x_qmax, Tensor weight, Tensor weight_scale, Tensor? weight_zero_point,"
      " int weight_qmin, int weight_qmax, int[2] stride, int[2] padding, int[2] dilation, int groups,"
      " str backward, Tensor? channel_scale, bool[4] wanted)"
      " -> (Tensor grad_x, Tensor grad_weight, Tensor grad_bias, Tensor grad_channel_scale)");
}

namespace {

/// The largest stride, padding and dilation: no product of sizes then leaves int64.
constexpr int64_t kMaxWindow = int64_t{1} << 31;

void check_pair(const char* op, const char* argument, const std::array<int64_t, 2>& values, int64_t least) {
  TORCH_CHECK(values[0] >= least && values[1] >= least, "[", op, "] ", argument,
              ": expected 2 integers >= ", least, ", got ", at::IntArrayRef(values));
  TORCH_CHECK(values[0] <= kMaxWindow && values[1] <= kMaxWindow, "[", op, "] ", argument,
              ": expected 2 integers <= ", kMaxWindow, ", got ", at::IntArrayRef(values));
}

/// x or x_codes [n, in, height, width] against the weight and the window. The batch may be symbolic.
kernels::Conv2dShape checked_shape(const char* op, const Tensor& x, const Tensor& weight,
                                   const Conv2dWindow& window) {
  check_pair(op, "stride", window.stride, 1);
  check_pair(op, "padding", window.padding, 0);
  check_pair(op, "dilation", window.dilation, 1);
  TORCH_CHECK(weight.dim() == 4, "[", op, "] weight: expected [out, in / groups, height, width], got shape ",
              weight.sizes());
  TORCH_CHECK(window.groups >= 1 && weight.size(0) % window.groups == 0, "[", op,
              "] groups: expected a divisor of ", weight.size(0), " output channels, got ", window.groups);
  const auto size = [&](int64_t dim) { return x.sym_size(dim).guard_int(__FILE__, __LINE__); };
  TORCH_CHECK(x.dim() == 4 && size(1) == weight.size(1) * window.groups, "[", op, "] x: expected [n, ",
              weight.size(1) * window.groups, ", height, width], got shape ", x.sym_sizes());
  const kernels::Conv2dShape shape{.in_channels = size(1),
                                   .height = size(2),
                                   .width = size(3),
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
  const int64_t span_height = window.dilation[0] * (shape.kernel_height - 1) + 1;
  const int64_t span_width = window.dilation[1] * (shape.kernel_width - 1) + 1;
  TORCH_CHECK(shape.height + 2 * window.padding[0] >= span_height &&
                  shape.width + 2 * window.padding[1] >= span_width,
              "[", op, "] x: expected at least ", span_height, " x ", span_width, " padded pixels, got ",
              shape.height + 2 * window.padding[0], " x ", shape.width + 2 * window.padding[1]);
  return shape;
}

struct Conv2d {
  static std::vector<c10::SymInt> output_sizes(const auto& call) {
    return conv2d_output_sizes(call, call.window);
  }

  static LayerOutput compute(const auto& call, int32_t* not_finite) {
    LayerOutput out = empty_layer_output(call, output_sizes(call));
    const kernels::AffineGrid grid = activation_grid("conv2d", call.x_grid);
    quantize_input(call, grid, out);
    if (call.weight.numel() == 0 || (out.y.numel() == 0 && not_finite == nullptr)) return out;
    const kernels::PackedWeight weight =
        packed_weight("conv2d", call, kernels::WeightOrder::kRows, not_finite);
    if (out.y.numel() == 0) return out;
    Tensor bias, channel_scale;
    multiply(conv2d_shape(call, call.window), weight,
             kernels::layer_terms(weight, grid, floats_or_null(call.bias, bias),
                                  floats_or_null(call.channel_scale, channel_scale)),
             grid, out);
    return out;
  }

  static void multiply(const kernels::Conv2dShape& shape, const kernels::PackedWeight& weight,
                       const kernels::LayerTerms& terms, const kernels::AffineGrid& grid,
                       const LayerOutput& out) {
    const kernels::Conv2dOutput output{.data = out.y.mutable_data_ptr<float>()};
    const int64_t items = kernels::conv2d_work_items(shape, out.y.size(0));
    const int64_t work_of_one = out.y.numel() * shape.depth() / std::max<int64_t>(items, 1);
    at::parallel_for(0, items, 1 + (1 << 17) / std::max<int64_t>(work_of_one, 1),
                     [&](int64_t begin, int64_t end) {
                       kernels::conv2d(weight, terms, shape, grid, out.x_codes.const_data_ptr<int8_t>(),
                                       output, begin, end);
                     });
  }

  using BackwardCall = Conv2dBackwardCall;
  static Conv2dBackwardCall backward_call(const auto& call, const LayerOutput& out) {
    return {.saved = saved_layer(call, out), .window = call.window};
  }
};

LayerGradients conv2d_backward_cpu(const Conv2dBackwardCall& call) {
  check_conv2d_backward(call);
  return empty_where_undefined(conv2d_backward(call), call.grad_y);
}

LayerGradients conv2d_backward_meta(const Conv2dBackwardCall& call) {
  return empty_gradients(call.saved, call.grad_y, call.wanted);
}

}  // namespace

kernels::Conv2dShape conv2d_shape(const LayerCall& call, const Conv2dWindow& window) {
  const kernels::Conv2dShape shape = checked_shape("conv2d", call.x, call.weight, window);
  check_layer({"conv2d", "in_channels / groups * kernel size"}, call, shape.depth());
  return shape;
}

std::vector<c10::SymInt> conv2d_output_sizes(const LayerCall& call, const Conv2dWindow& window) {
  const kernels::Conv2dShape s = conv2d_shape(call, window);
  return {call.x.sym_size(0), s.out_channels, s.out_height(), s.out_width()};
}

kernels::Conv2dShape check_conv2d_backward(const Conv2dBackwardCall& call) {
  const SavedLayer& saved = call.saved;
  const kernels::Conv2dShape shape =
      checked_shape("conv2d_backward", saved.x_codes, saved.weight, call.window);
  check_saved_layer("conv2d_backward", saved, call.grad_y,
                    {saved.x_codes.size(0), shape.out_channels, shape.out_height(), shape.out_width()});
  return shape;
}

LayerOutput conv2d(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                   const Conv2dWindow& window, const ActivationGrid& x_grid, const WeightGrid& weight_grid,
                   const LayerOptions& options) {
  return call_operator(Conv2dCall{{x, weight, bias, x_grid, weight_grid, {}, options, std::nullopt}, window});
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("conv2d", unpacked<layer_cpu<Conv2d, Conv2dCall>>);
  library.impl("conv2d.encoded", unpacked<layer_cpu<Conv2d, EncodedConv2dCall>>);
  library.impl("conv2d_backward", unpacked<conv2d_backward_cpu>);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("conv2d", unpacked<layer_meta<Conv2d, Conv2dCall>>);
  library.impl("conv2d.encoded", unpacked<layer_meta<Conv2d, EncodedConv2dCall>>);
  library.impl("conv2d_backward", unpacked<conv2d_backward_meta>);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("conv2d", unpacked<layer_autograd<Conv2d, Conv2dCall>>);
  library.impl("conv2d.encoded", unpacked<layer_autograd<Conv2d, EncodedConv2dCall>>);
  library.impl("conv2d_backward", without_second_derivative());
}

}  // namespace samebits::ops
