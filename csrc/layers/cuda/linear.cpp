// samebits::linear on CUDA: codes by our kernels, their products by cublasLt, or by our own kernel where the
// weight has groups, and the contract's epilogue. Checks of shapes only, because a look at grids would wait
// for the device; a NaN in x or in the weight raises saw_nan.
#include "csrc/layers/linear.h"

#include <torch/library.h>

#include <map>
#include <mutex>

#include "csrc/layers/cuda/layer.h"
#include "kernels/matmul/cuda/cublas/gemm_int8.h"
#include "kernels/matmul/cuda/epilogue.h"
#include "kernels/matmul/cuda/gemm_int4.h"
#include "kernels/quantize/cuda/quantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;

constexpr char kOp[] = "linear";

/// The codes of a weight with groups, [n][k]; NaNs raise the flag.
Tensor quantize_groups(const Tensor& weight_any, const DeviceGridTable& grids, const Tensor& saw_nan) {
  const Tensor weight = weight_any.contiguous();
  const Tensor codes = at::empty_like(weight, weight.options().dtype(at::kChar));
  const kernels::QuantizeArgs args{
      .x = weight.const_data_ptr(), .codes = codes.mutable_data_ptr<int8_t>(), .clip_mask = nullptr};
  check_launch(kOp, kernels::cuda::launch_quantize(args, grids.table, weight.numel(),
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

/// y of a weight with groups, by our own kernel.
void multiply_groups(const LayerCall& call, const DeviceGridTable& x_grids,
                     const DeviceGridTable& weight_grids, const Tensor& weight_codes,
                     const LayerOutput& out) {
  const int64_t n = call.weight.size(0), k = call.weight.size(1);
  Tensor bias_holder, channel_scale;
  const kernels::cuda::GemmCodesArgs args{.a = out.x_codes.const_data_ptr<int8_t>(),
                                          .a_stride = k,
                                          .m = out.y.numel() / n,
                                          .a_scale = x_grids.table.scale,
                                          .a_zero_point = x_grids.table.zero_point,
                                          .b = {.codes = weight_codes.const_data_ptr(),
                                                .format = kernels::cuda::CodeFormat::kInt8,
                                                .shape = {n, k, call.weight_grid.group_size},
                                                .scale = weight_grids.table.scale,
                                                .zero_point = weight_grids.table.zero_point},
                                          .output = {.y = out.y.mutable_data_ptr<float>(),
                                                     .stride = n,
                                                     .bias = floats_or_null(call.bias, bias_holder)},
                                          .channel_scale = floats_or_null(call.channel_scale, channel_scale)};
  check_launch(kOp, kernels::cuda::launch_gemm_codes(args, current_stream()));
}

/// y of a weight without groups, by cublasLt and the contract's epilogue.
void multiply_channels(const LayerCall& call, const EncodedWeight& weight, const LayerOutput& out) {
  const int64_t n = call.weight.size(0), m = out.y.numel() / n;
  const int64_t depth = weight.codes.size(1), columns = weight.codes.size(0);
  const Tensor a = padded(out.x_codes.view({m, call.weight.size(1)}), m, depth);
  const Tensor sums = at::empty({m, columns}, a.options().dtype(at::kInt));
  const Tensor room =
      at::empty({static_cast<int64_t>(kernels::cuda::kGemmInt8WorkspaceBytes)}, a.options().dtype(at::kByte));
  const std::string error = products_of(a.device().index())
                                .multiply({.a = a.const_data_ptr<int8_t>(),
                                           .b = weight.codes.const_data_ptr<int8_t>(),
                                           .sums = sums.mutable_data_ptr<int32_t>(),
                                           .m = m,
                                           .n = columns,
                                           .k = depth,
                                           .a_stride = depth,
                                           .b_stride = depth,
                                           .sums_stride = columns},
                                          room.mutable_data_ptr(), current_stream());
  TORCH_CHECK(error.empty(), "[linear] CUDA: expected an int8 product, got: ", error);
  Tensor bias_holder;
  check_launch(kOp, kernels::cuda::launch_epilogue({.sums = sums.const_data_ptr<int32_t>(),
                                                    .sums_stride = columns,
                                                    .m = m,
                                                    .n = n,
                                                    .terms = {weight.correction.const_data_ptr<int32_t>(),
                                                              weight.scale.const_data_ptr<float>(),
                                                              floats_or_null(call.bias, bias_holder)},
                                                    .output = out.y.mutable_data_ptr<float>(),
                                                    .output_stride = n},
                                                   current_stream()));
}

/// The forward of linear on the device (layer.h).
LayerOutput forward(const LayerCall& call, const WeightFlags& flags) {
  LayerOutput out = empty_layer_output(call, linear_output_sizes(call));
  const WeightGrid& grid = call.weight_grid;
  const DeviceGridTable x_grids = input_grids(kOp, call);
  const bool multiplies = out.y.numel() > 0, is_grouped = grid.group_size > 0;
  const int64_t depth = kernels::cuda::padded_gemm_int8(call.weight.size(1));
  const int64_t columns = kernels::cuda::padded_gemm_int8(call.weight.size(0));
  const DeviceGridTable weight_grids({kOp, "weight_", grid.scale, grid.zero_point.value_or(Tensor()),
                                      grid.qmin, grid.qmax, 0, grid.group_size},
                                     call.weight);
  Tensor group_codes;
  EncodedWeight weight;
  if (multiplies && is_grouped) group_codes = quantize_groups(call.weight, weight_grids, flags.not_finite);
  if ((multiplies || flags.finds_grids) && !is_grouped)
    weight = encode_channels(kOp, call, flags, {columns, depth});
  quantize_on_device(kOp, call, x_grids, flags, out);
  if (multiplies && is_grouped) multiply_groups(call, x_grids, weight_grids, group_codes, out);
  if (multiplies && !is_grouped) multiply_channels(call, weight, out);
  return out;
}

LayerOutput linear_cuda(const LinearCall& call) {
  return layer_on_device(kOp, call, forward);
}

EncodedLayerOutput encoded_linear_cuda(const EncodedLinearCall& call) {
  return encoded_layer_on_device(kOp, call, forward);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("linear", unpacked<linear_cuda>);
  library.impl("linear.encoded", unpacked<encoded_linear_cuda>);
}

}  // namespace samebits::ops
