// samebits::linear on CUDA: codes by our kernels, their products by cublasLt, or by our own kernel where the
// weight has groups, and the contract's epilogue. Checks of shapes only, because a look at grids would wait
// for the device; a NaN in x or in the weight raises saw_nan.
#include "csrc/layers/linear.h"

#include <torch/library.h>

#include <map>
#include <mutex>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/observe/min_max.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/matmul/cuda/encode_rows.h"
#include "kernels/matmul/cuda/epilogue.h"
#include "kernels/matmul/cuda/gemm_int4.h"
#include "kernels/matmul/cuda/gemm_int8.h"
#include "kernels/observe/cuda/observe_quantize.h"
#include "kernels/quantize/cuda/quantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;

/// What a CUDA tensor cannot have yet, and devices.
void check_cuda_layer(const LayerCall& call) {
  TORCH_CHECK(call.options.backward != BackwardMode::kInt8,
              "[linear] backward: expected f32 or bf16 on CUDA, got \"int8\"");
  check_device("linear", "", "weight", call.weight, call.x);
  if (call.bias.has_value()) check_device("linear", "", "bias", *call.bias, call.x);
  if (call.channel_scale.has_value())
    check_device("linear", "", "channel_scale", *call.channel_scale, call.x);
}

/// Fills x_codes, clip_mask and saw_nan of `out`; with observe x_range too, of which the pass takes note in
/// any case. `raised` is null or a flag that saw_nan takes over.
void quantize_on_device(const LayerCall& call, const DeviceGridTable& grids, const int* raised,
                        LayerOutput& out) {
  const Tensor x = call.x.contiguous();
  constexpr int64_t kPartialBytes =
      kernels::cuda::kObservePartials * static_cast<int64_t>(sizeof(kernels::MinMax));
  const Tensor room =
      at::empty({kPartialBytes + 2 * static_cast<int64_t>(sizeof(float))}, x.options().dtype(at::kByte));
  auto* const bytes = room.mutable_data_ptr<uint8_t>();
  float* const range = call.options.observe ? out.x_range.mutable_data_ptr<float>()
                                            : reinterpret_cast<float*>(bytes + kPartialBytes);
  check_launch("linear", kernels::cuda::launch_observe_quantize(
                             {.x = x.const_data_ptr(),
                              .codes = out.x_codes.mutable_data_ptr<int8_t>(),
                              .clip_mask = out.clip_mask.mutable_data_ptr<uint8_t>(),
                              .fold_relu = call.options.relu_input},
                             grids.table, x.numel(),
                             {.partials = reinterpret_cast<kernels::MinMax*>(bytes),
                              .range = range,
                              .saw_nan = static_cast<uint8_t*>(out.saw_nan.mutable_data_ptr()),
                              .raised = raised},
                             current_stream()));
}

/// The codes of a weight with groups, [n][k]; NaNs raise the flag.
Tensor quantize_groups(const Tensor& weight_any, const DeviceGridTable& grids, const Tensor& saw_nan) {
  const Tensor weight = weight_any.contiguous();
  const Tensor codes = at::empty_like(weight, weight.options().dtype(at::kChar));
  const kernels::QuantizeArgs args{
      .x = weight.const_data_ptr(), .codes = codes.mutable_data_ptr<int8_t>(), .clip_mask = nullptr};
  check_launch("linear", kernels::cuda::launch_quantize(args, grids.table, weight.numel(),
                                                        saw_nan.mutable_data_ptr<int>(), current_stream()));
  return codes;
}

/// A weight with a scale a channel, or one, as cublasLt and the epilogue take it.
struct EncodedWeight {
  Tensor codes;  // [columns][depth], both padded, minus zero points
  Tensor correction, scale;
};

/// `grid` is given, or filled where the call finds it; NaNs and infinities are added to `not_finite`.
EncodedWeight encode_channels(const LayerCall& call, const WeightGrid& grid, bool finds_grids,
                              const Tensor& not_finite) {
  const Tensor weight = call.weight.contiguous();
  const int64_t n = weight.size(0), k = weight.size(1);
  const int64_t depth = kernels::cuda::padded_gemm_int8(k), columns = kernels::cuda::padded_gemm_int8(n);
  const Tensor scale = grid.scale.contiguous(), x_scale = call.x_grid.scale.contiguous(),
               x_zero_point = call.x_grid.zero_point.contiguous();
  const Tensor zero_point = grid.zero_point.has_value() ? grid.zero_point->contiguous() : Tensor();
  Tensor channel_scale;
  EncodedWeight encoded{at::empty({columns, depth}, weight.options().dtype(at::kChar)),
                        at::empty({n}, weight.options().dtype(at::kInt)), at::empty({n}, weight.options())};
  check_launch(
      "linear",
      kernels::cuda::launch_encode_rows(
          {.weight = weight.const_data_ptr<float>(),
           .rows = n,
           .row_length = k,
           .qmin = static_cast<int32_t>(grid.qmin),
           .qmax = static_cast<int32_t>(grid.qmax),
           .scale = scale.mutable_data_ptr<float>(),
           .zero_point = zero_point.defined() ? zero_point.mutable_data_ptr<int32_t>() : nullptr,
           .has_one_scale = scale.numel() == 1,
           .finds_grids = finds_grids,
           .not_finite = not_finite.mutable_data_ptr<int>()},
          kernels::cuda::ForwardRows{.codes = encoded.codes.mutable_data_ptr<int8_t>(),
                                     .stride = depth,
                                     .padded_rows = columns,
                                     .x_scale = x_scale.const_data_ptr<float>(),
                                     .x_zero_point = x_zero_point.const_data_ptr<int32_t>(),
                                     .correction = encoded.correction.mutable_data_ptr<int32_t>(),
                                     .scale = encoded.scale.mutable_data_ptr<float>(),
                                     .channel_scale = floats_or_null(call.channel_scale, channel_scale)},
          current_stream()));
  return encoded;
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
  check_launch("linear", kernels::cuda::launch_gemm_codes(args, current_stream()));
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
  check_launch("linear",
               kernels::cuda::launch_epilogue(
                   {.sums = sums.const_data_ptr<int32_t>(),
                    .sums_stride = columns,
                    .m = m,
                    .n = n,
                    .terms = {weight.correction.const_data_ptr<int32_t>(),
                              weight.scale.const_data_ptr<float>(), floats_or_null(call.bias, bias_holder)},
                    .output = out.y.mutable_data_ptr<float>(),
                    .output_stride = n},
                   current_stream()));
}

/// The forward on the grids of `call`, or with finds_grids on those of the weight's rows, which are written
/// there. What of the weight is not finite is added to `not_finite`, which saw_nan takes over with
/// `tells_of_weight`.
LayerOutput forward(const LayerCall& call, bool finds_grids, const Tensor& not_finite, bool tells_of_weight) {
  LayerOutput out = empty_layer_output(call, linear_output_sizes(call));
  const WeightGrid& grid = call.weight_grid;
  const DeviceGridTable x_grids(
      {"linear", "x_", call.x_grid.scale, call.x_grid.zero_point, call.x_grid.qmin, call.x_grid.qmax},
      call.x);
  const DeviceGridTable weight_grids({"linear", "weight_", grid.scale, grid.zero_point.value_or(Tensor()),
                                      grid.qmin, grid.qmax, 0, grid.group_size},
                                     call.weight);
  const bool multiplies = out.y.numel() > 0, is_grouped = grid.group_size > 0;
  Tensor group_codes;
  EncodedWeight weight;
  if (multiplies && is_grouped) group_codes = quantize_groups(call.weight, weight_grids, not_finite);
  if ((multiplies || finds_grids) && !is_grouped)
    weight = encode_channels(call, grid, finds_grids, not_finite);
  quantize_on_device(call, x_grids, tells_of_weight ? not_finite.const_data_ptr<int>() : nullptr, out);
  if (multiplies && is_grouped) multiply_groups(call, x_grids, weight_grids, group_codes, out);
  if (multiplies && !is_grouped) multiply_channels(call, weight, out);
  return out;
}

LayerOutput linear_cuda(const LinearCall& call) {
  check_cuda_layer(call);
  const c10::cuda::CUDAGuard guard(call.x.device());
  return forward(call, false, lowered_flag(call.x), true);
}

/// Grids that no row has for itself: of the whole weight, or of groups. Returns what was not finite.
Tensor find_grids(LayerCall& call) {
  const quant::Encoding& encoding = call.encoding;
  const bool is_one = encoding.granularity == quant::Granularity::kPerTensor;
  const auto [min, max, saw_nan] =
      min_max(call.weight, is_one ? 1 : call.weight.size(0), encoding.group_size);
  const Tensor is_finite = at::logical_and(min.isfinite(), max.isfinite());
  const auto [scale, zero_point] =
      grid_of_range(at::where(is_finite, min, 0.0), at::where(is_finite, max, 0.0), encoding.qmin,
                    encoding.qmax, encoding.symmetric);
  call.weight_grid = {scale, std::nullopt, encoding.qmin, encoding.qmax, encoding.group_size};
  if (!encoding.symmetric) call.weight_grid.zero_point = zero_point;
  const Tensor saw_infinity = at::logical_and(at::logical_not(is_finite).any(), at::logical_not(saw_nan));
  return saw_nan.to(at::kInt) * kSawNaN + saw_infinity.to(at::kInt) * kSawInfinity;
}

EncodedLayerOutput encoded_linear_cuda(const EncodedLinearCall& given) {
  check_encoding("linear", given);
  check_cuda_layer(given);
  const c10::cuda::CUDAGuard guard(given.x.device());
  LayerCall call = given;
  if (call.encoding.granularity == quant::Granularity::kPerChannel) {
    static_assert(kSawNaN == kernels::cuda::kRowHoldsNan && kSawInfinity == kernels::cuda::kRowHoldsInfinity);
    call.weight_grid = empty_weight_grid(call.weight, call.encoding);
    const Tensor not_finite = lowered_flag(call.x);
    return encoded_output(call, forward(call, true, not_finite, false), not_finite);
  }
  const Tensor not_finite = find_grids(call);
  return encoded_output(call, forward(call, false, lowered_flag(call.x), false), not_finite);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("linear", unpacked<linear_cuda>);
  library.impl("linear.encoded", unpacked<encoded_linear_cuda>);
}

}  // namespace samebits::ops
