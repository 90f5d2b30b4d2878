// torch operator samebits::linear over kernels/matmul/linear.h: schema, checks, CPU, Meta, autograd.
// Backward's arithmetic is in csrc/layers/linear_backward.cpp.
#include "csrc/layers/linear.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/second_derivative.h"
#include "csrc/layers/layer_autograd.h"
#include "csrc/layers/linear_backward.h"
#include "csrc/layers/region_threads.h"
#include "quant/pack.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "linear(Tensor x, Tensor weight, Tensor? bias, Tensor x_scale, Tensor x_zero_point, int x_qmin, int "
      "x_qmax,"
      " Tensor weight_scale, Tensor? weight_zero_point, int weight_qmin, int weight_qmax, int group_size=0,"
      " bool relu_input=False, bool observe=False, str backward='f32', Tensor? channel_scale=None)"
      " -> (Tensor y, Tensor x_codes, Tensor clip_mask, Tensor saw_nan, Tensor x_range)");
  library.def(
      "linear.encoded(Tensor x, Tensor weight, Tensor? bias, Tensor x_scale, Tensor x_zero_point, int x_qmin,"
      " int x_qmax, *, int weight_qmin, int weight_qmax, bool weight_symmetric=True,"
      " str weight_granularity='channel', int group_size=0, bool relu_input=False, bool observe=False,"
      " str backward='f32', Tensor? channel_scale=None)"
      " -> (Tensor y, Tensor x_codes, Tensor clip_mask, Tensor saw_nan, Tensor x_range, Tensor weight_scale,"
      " Tensor weight_zero_point, Tensor weight_not_finite)");
  library.def(
      "linear_backward(Tensor grad_y, Tensor x_codes, Tensor clip_mask, Tensor x_scale, Tensor x_zero_point,"
      " int x_qmin, int x_qmax, Tensor weight, Tensor weight_scale, Tensor? weight_zero_point,"
      " int weight_qmin, int weight_qmax, int group_size, str backward, Tensor? channel_scale, bool[4] "
      "wanted)"
      " -> (Tensor grad_x, Tensor grad_weight, Tensor grad_bias, Tensor grad_channel_scale)");
}

namespace {

void multiply(const kernels::PackedWeight& weight, const kernels::LayerTerms& terms, const LayerOutput& out) {
  float* y = out.y.mutable_data_ptr<float>();
  const int8_t* codes = out.x_codes.const_data_ptr<int8_t>();
  const int64_t m = out.y.numel() / weight.n;
  for_each_part(m * weight.n * weight.k, [&](int64_t part, int64_t parts) {
    kernels::linear(weight, terms, codes, y, kernels::gemm_region(m, weight.n, part, parts));
  });
}

struct Linear {
  static std::vector<c10::SymInt> output_sizes(const LayerCall& call) { return linear_output_sizes(call); }

  static LayerOutput compute(const LayerCall& call, int32_t* not_finite) {
    LayerOutput out = empty_layer_output(call, output_sizes(call));
    const kernels::AffineGrid grid = activation_grid("linear", call.x_grid);
    quantize_input(call, grid, out);
    if (call.weight.numel() == 0 || (out.y.numel() == 0 && not_finite == nullptr)) return out;
    const kernels::PackedWeight weight = packed_weight(
        "linear", call, quant::linear_order(encoding_of(call.weight_grid, call.weight)), not_finite);
    if (out.y.numel() == 0) return out;
    Tensor bias, channel_scale;
    multiply(weight,
             kernels::layer_terms(weight, grid, floats_or_null(call.bias, bias),
                                  floats_or_null(call.channel_scale, channel_scale)),
             out);
    return out;
  }

  using BackwardCall = LinearBackwardCall;
  static LinearBackwardCall backward_call(const LayerCall& call, const LayerOutput& out) {
    return {.saved = saved_layer(call, out)};
  }
};

LayerGradients linear_backward_cpu(const LinearBackwardCall& call) {
  check_linear_backward(call);
  return empty_where_undefined(linear_backward(call), call.grad_y);
}

LayerGradients linear_backward_meta(const LinearBackwardCall& call) {
  return empty_gradients(call.saved, call.grad_y, call.wanted);
}

}  // namespace

std::vector<c10::SymInt> linear_output_sizes(const LayerCall& call) {
  TORCH_CHECK(call.weight.dim() == 2, "[linear] weight: expected [out_features, in_features], got shape ",
              call.weight.sizes());
  TORCH_CHECK(call.x.dim() >= 1 && call.x.sym_size(-1) == call.weight.size(1), "[linear] x: expected [..., ",
              call.weight.size(1), "], got shape ", call.x.sym_sizes());
  check_layer({"linear", "in_features"}, call, call.weight.size(1));
  std::vector<c10::SymInt> sizes = call.x.sym_sizes().vec();
  sizes.back() = call.weight.size(0);
  return sizes;
}

void check_linear_backward(const LinearBackwardCall& call) {
  const SavedLayer& saved = call.saved;
  TORCH_CHECK(
      saved.weight.dim() == 2 && saved.x_codes.dim() >= 1 && saved.x_codes.size(-1) == saved.weight.size(1),
      "[linear_backward] x_codes: expected [..., in_features] of the weight, got shape ",
      saved.x_codes.sizes(), " with a weight of ", saved.weight.sizes());
  std::vector<int64_t> y_sizes = saved.x_codes.sizes().vec();
  y_sizes.back() = saved.weight.size(0);
  check_saved_layer("linear_backward", saved, call.grad_y, y_sizes);
}

LayerOutput linear(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                   const ActivationGrid& x_grid, const WeightGrid& weight_grid, const LayerOptions& options) {
  return call_operator(LinearCall{{x, weight, bias, x_grid, weight_grid, {}, options, std::nullopt}});
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("linear", unpacked<layer_cpu<Linear, LinearCall>>);
  library.impl("linear.encoded", unpacked<layer_cpu<Linear, EncodedLinearCall>>);
  library.impl("linear_backward", unpacked<linear_backward_cpu>);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("linear", unpacked<layer_meta<Linear, LinearCall>>);
  library.impl("linear.encoded", unpacked<layer_meta<Linear, EncodedLinearCall>>);
  library.impl("linear_backward", unpacked<linear_backward_meta>);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("linear", unpacked<layer_autograd<Linear, LinearCall>>);
  library.impl("linear.encoded", unpacked<layer_autograd<Linear, EncodedLinearCall>>);
  library.impl("linear_backward", without_second_derivative());
}

}  // namespace samebits::ops
