// samebits::linear on CUDA: codes by our kernels, their products by cublasLt, or by our own kernel where the
// weight has groups, and the contract's epilogue. Checks of shapes only, because a look at grids would wait
// for the device; a NaN in x or in the weight raises saw_nan.
#include "csrc/layers/linear.h"

#include <torch/library.h>

#include <array>
#include <cstddef>
#include <map>
#include <mutex>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/observe/min_max.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "csrc/quantize/dequantize.h"
#include "csrc/quantize/fake_quantize.h"
#include "kernels/matmul/cuda/epilogue.h"
#include "kernels/matmul/cuda/gemm_int4.h"
#include "kernels/matmul/cuda/gemm_int8.h"
#include "kernels/observe/cuda/observe_quantize.h"
#include "kernels/quantize/cuda/quantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;

/// What a CUDA tensor cannot have yet, and devices.
void check_cuda_layer(const LinearCall& call) {
  TORCH_CHECK(call.options.backward == BackwardMode::kFloat32,
              "[linear] backward: expected f32 on CUDA, got \"", backward_text(call.options.backward), "\"");
  check_device("linear", "", "weight", call.weight, call.x);
  if (call.bias.has_value()) check_device("linear", "", "bias", *call.bias, call.x);
}

/// Fills x_codes and clip_mask of `out`; with observe x_range too. Returns the flag of NaNs, int32.
Tensor quantize_on_device(const LayerCall& call, const DeviceGridTable& grids, LayerOutput& out) {
  const Tensor x = call.x.contiguous();
  const kernels::QuantizeArgs args{.x = x.const_data_ptr(),
                                   .codes = out.x_codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = out.clip_mask.mutable_data_ptr<uint8_t>(),
                                   .fold_relu = call.options.relu_input};
  if (!call.options.observe) {
    const Tensor saw_nan = lowered_flag(x);
    check_launch("linear", kernels::cuda::launch_quantize(args, grids.table, x.numel(),
                                                          saw_nan.mutable_data_ptr<int>(), current_stream()));
    return saw_nan;
  }
  static_assert(sizeof(kernels::MinMax) == 12 && offsetof(kernels::MinMax, saw_nan) == 8);
  const auto bytes = x.options().dtype(at::kByte);
  const Tensor range = at::zeros({sizeof(kernels::MinMax)}, bytes);
  const Tensor partials =
      at::empty({kernels::cuda::kObservePartials * static_cast<int64_t>(sizeof(kernels::MinMax))}, bytes);
  check_launch("linear",
               kernels::cuda::launch_observe_quantize(
                   args, grids.table, x.numel(), static_cast<kernels::MinMax*>(partials.mutable_data_ptr()),
                   static_cast<kernels::MinMax*>(range.mutable_data_ptr()), current_stream()));
  out.x_range = range.narrow(0, 0, 8).view(at::kFloat).clone();
  return range.select(0, 8).to(at::kInt);
}

/// The weight's codes [n][k]; NaNs raise the flag.
Tensor quantize_weight(const Tensor& weight_any, const DeviceGridTable& grids, const Tensor& saw_nan) {
  const Tensor weight = weight_any.contiguous();
  const Tensor codes = at::empty_like(weight, weight.options().dtype(at::kChar));
  const kernels::QuantizeArgs args{
      .x = weight.const_data_ptr(), .codes = codes.mutable_data_ptr<int8_t>(), .clip_mask = nullptr};
  check_launch("linear", kernels::cuda::launch_quantize(args, grids.table, weight.numel(),
                                                        saw_nan.mutable_data_ptr<int>(), current_stream()));
  return codes;
}

/// A matrix of codes with zeros behind it, as cublasLt wants it; the matrix itself where it fits.
Tensor padded(const Tensor& codes, int64_t rows, int64_t columns) {
  if (codes.size(0) == rows && codes.size(1) == columns) return codes;
  return at::constant_pad_nd(codes, {0, columns - codes.size(1), 0, rows - codes.size(0)});
}

/// The products of a device. They live as long as the process: at its end there may be no driver any more.
kernels::cuda::Int8Products& products_of(c10::DeviceIndex device) {
  static auto& mutex = *new std::mutex;
  static auto& products = *new std::map<c10::DeviceIndex, kernels::cuda::Int8Products>;
  const std::lock_guard lock(mutex);
  return products[device];
}

/// One call's operands, quantized. x_codes is [m][k].
struct Product {
  const LinearCall& call;
  const DeviceGridTable &x_grids, &weight_grids;
  Tensor x_codes, weight_codes;
  int64_t m, n, k;
  const float* bias;
  float* y;
};

void multiply_groups(const Product& p) {
  const kernels::cuda::GemmCodesArgs args{.a = p.x_codes.const_data_ptr<int8_t>(),
                                          .a_stride = p.k,
                                          .m = p.m,
                                          .a_scale = p.x_grids.table.scale,
                                          .a_zero_point = p.x_grids.table.zero_point,
                                          .b = {.codes = p.weight_codes.const_data_ptr(),
                                                .format = kernels::cuda::CodeFormat::kInt8,
                                                .shape = {p.n, p.k, p.call.weight_grid.group_size},
                                                .scale = p.weight_grids.table.scale,
                                                .zero_point = p.weight_grids.table.zero_point},
                                          .output = {.y = p.y, .stride = p.n, .bias = p.bias}};
  check_launch("linear", kernels::cuda::launch_gemm_codes(args, current_stream()));
}

void multiply_channels(const Product& p) {
  const int64_t depth = kernels::cuda::padded_gemm_int8(p.k), columns = kernels::cuda::padded_gemm_int8(p.n);
  Tensor weight_codes = p.weight_codes;
  if (p.weight_grids.zero_point.defined())
    weight_codes = weight_codes.sub(p.weight_grids.zero_point.to(at::kChar).reshape({-1, 1}));
  const Tensor a = padded(p.x_codes, p.m, depth), b = padded(weight_codes, columns, depth);
  const Tensor sums = at::empty({p.m, columns}, a.options().dtype(at::kInt));
  const Tensor room =
      at::empty({static_cast<int64_t>(kernels::cuda::kGemmInt8WorkspaceBytes)}, a.options().dtype(at::kByte));
  const std::string error = products_of(a.device().index())
                                .multiply({.a = a.const_data_ptr<int8_t>(),
                                           .b = b.const_data_ptr<int8_t>(),
                                           .sums = sums.mutable_data_ptr<int32_t>(),
                                           .m = p.m,
                                           .n = columns,
                                           .k = depth,
                                           .a_stride = depth,
                                           .b_stride = depth,
                                           .sums_stride = columns},
                                          room.mutable_data_ptr(), current_stream());
  TORCH_CHECK(error.empty(), "[linear] CUDA: expected an int8 product, got: ", error);
  const Tensor correction = at::empty({p.n}, sums.options()),
               scale = at::empty({p.n}, p.x_grids.scale.options());
  check_launch("linear",
               kernels::cuda::launch_layer_terms({.codes = b.const_data_ptr<int8_t>(),
                                                  .codes_stride = depth,
                                                  .n = p.n,
                                                  .k = p.k,
                                                  .weight_scale = p.weight_grids.table.scale,
                                                  .has_one_scale = p.weight_grids.scale.numel() == 1,
                                                  .x_scale = p.x_grids.table.scale,
                                                  .x_zero_point = p.x_grids.table.zero_point,
                                                  .correction = correction.mutable_data_ptr<int32_t>(),
                                                  .scale = scale.mutable_data_ptr<float>()},
                                                 current_stream()));
  check_launch("linear", kernels::cuda::launch_epilogue({.sums = sums.const_data_ptr<int32_t>(),
                                                         .sums_stride = columns,
                                                         .m = p.m,
                                                         .n = p.n,
                                                         .terms = {correction.const_data_ptr<int32_t>(),
                                                                   scale.const_data_ptr<float>(), p.bias},
                                                         .output = p.y,
                                                         .output_stride = p.n},
                                                        current_stream()));
}

LayerOutput linear_cuda(const LinearCall& call) {
  const std::vector<c10::SymInt> sizes = linear_output_sizes(call);
  check_cuda_layer(call);
  const c10::cuda::CUDAGuard guard(call.x.device());
  const WeightGrid& grid = call.weight_grid;
  const DeviceGridTable x_grids(
      {"linear", "x_", call.x_grid.scale, call.x_grid.zero_point, call.x_grid.qmin, call.x_grid.qmax},
      call.x);
  const DeviceGridTable weight_grids({"linear", "weight_", grid.scale, grid.zero_point.value_or(Tensor()),
                                      grid.qmin, grid.qmax, 0, grid.group_size},
                                     call.weight);
  LayerOutput out = empty_layer_output(call, sizes);
  const Tensor saw_nan = quantize_on_device(call, x_grids, out);
  if (out.y.numel() > 0) {
    const int64_t n = call.weight.size(0), k = call.weight.size(1), m = out.y.numel() / n;
    Tensor bias_holder;
    const Product product{.call = call,
                          .x_grids = x_grids,
                          .weight_grids = weight_grids,
                          .x_codes = out.x_codes.view({m, k}),
                          .weight_codes = quantize_weight(call.weight, weight_grids, saw_nan),
                          .m = m,
                          .n = n,
                          .k = k,
                          .bias = bias_data(call.bias, bias_holder),
                          .y = out.y.mutable_data_ptr<float>()};
    grid.group_size > 0 ? multiply_groups(product) : multiply_channels(product);
  }
  out.saw_nan = saw_nan.to(at::kBool);
  return out;
}

/// Finds the grids of the weight's ranges on the device, then as above.
EncodedLayerOutput encoded_linear_cuda(const EncodedLinearCall& call) {
  check_encoding("linear", call);
  const c10::cuda::CUDAGuard guard(call.x.device());
  const quant::Encoding& encoding = call.encoding;
  const bool is_one = encoding.granularity == quant::Granularity::kPerTensor;
  const auto [min, max, saw_nan] =
      min_max(call.weight, is_one ? 1 : call.weight.size(0), encoding.group_size);
  const Tensor saw_infinity = at::logical_or(min.isinf(), max.isinf()).any();
  const auto [scale, zero_point] =
      grid_of_range(at::nan_to_num(min, 0.0, 0.0, 0.0), at::nan_to_num(max, 0.0, 0.0, 0.0), encoding.qmin,
                    encoding.qmax, encoding.symmetric);
  LinearCall given{call};
  given.weight_grid = {scale, std::nullopt, encoding.qmin, encoding.qmax, encoding.group_size};
  if (!encoding.symmetric) given.weight_grid.zero_point = zero_point;
  const LayerOutput out = linear_cuda(given);
  const Tensor not_finite =
      saw_nan.to(at::kInt) * kSawNaN +
      at::logical_and(saw_infinity, at::logical_not(saw_nan)).to(at::kInt) * kSawInfinity;
  return encoded_output(given, out, not_finite);
}

/// The straight-through gradients in float32, of operands that are dequantized on the device.
LayerGradients linear_backward_cuda(const LinearBackwardCall& call) {
  const SavedLayer& saved = call.saved;
  TORCH_CHECK(saved.backward == BackwardMode::kFloat32,
              "[linear_backward] backward: expected f32 on CUDA, got \"", backward_text(saved.backward),
              "\"");
  check_linear_backward(call);
  const c10::cuda::CUDAGuard guard(call.grad_y.device());
  const int64_t n = saved.weight.size(0), k = saved.weight.size(1), m = n == 0 ? 0 : call.grad_y.numel() / n;
  const Tensor grad_y = call.grad_y.contiguous().reshape({m, n});
  const WeightGrid& grid = saved.weight_grid;
  const Tensor zero_point =
      grid.zero_point.value_or(at::zeros_like(grid.scale, grid.scale.options().dtype(at::kInt)));
  const auto [weight, weight_mask, weight_nan] =
      fake_quantize(saved.weight, grid.scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size);
  LayerGradients gradients;
  if (call.wanted[0])
    gradients.x = fake_quantize_backward(at::mm(grad_y, weight).view(saved.x_codes.sizes()), saved.clip_mask);
  if (call.wanted[1]) {
    const Tensor x = dequantize(saved.x_codes, saved.x_grid.scale, saved.x_grid.zero_point).view({m, k});
    gradients.weight = fake_quantize_backward(at::mm(grad_y.t(), x), weight_mask);
  }
  if (call.wanted[2]) gradients.bias = grad_y.sum(0);
  return empty_where_undefined(gradients, call.grad_y);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("linear", unpacked<linear_cuda>);
  library.impl("linear.encoded", unpacked<encoded_linear_cuda>);
  library.impl("linear_backward", unpacked<linear_backward_cuda>);
}

}  // namespace samebits::ops
