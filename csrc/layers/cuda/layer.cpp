#include "csrc/layers/cuda/layer.h"

#include "csrc/common/check.h"
#include "csrc/observe/min_max.h"
#include "kernels/matmul/cuda/encode_rows.h"
#include "kernels/observe/cuda/observe_quantize.h"

namespace samebits::ops {

using at::Tensor;

void check_cuda_layer(const char* op, const LayerCall& call) {
  TORCH_CHECK(call.options.backward != BackwardMode::kInt8, "[", op,
              "] backward: expected f32 or bf16 on CUDA, got \"int8\"");
  check_device(op, "", "weight", call.weight, call.x);
  if (call.bias.has_value()) check_device(op, "", "bias", *call.bias, call.x);
  if (call.channel_scale.has_value()) check_device(op, "", "channel_scale", *call.channel_scale, call.x);
}

DeviceGridTable input_grids(const char* op, const LayerCall& call) {
  return DeviceGridTable(
      {op, "x_", call.x_grid.scale, call.x_grid.zero_point, call.x_grid.qmin, call.x_grid.qmax}, call.x);
}

void quantize_on_device(const char* op, const LayerCall& call, const DeviceGridTable& grids,
                        const WeightFlags& flags, LayerOutput& out) {
  const Tensor x = call.x.contiguous();
  constexpr int64_t kPartialBytes =
      kernels::cuda::kObservePartials * static_cast<int64_t>(sizeof(kernels::MinMax));
  const Tensor room =
      at::empty({kPartialBytes + 2 * static_cast<int64_t>(sizeof(float))}, x.options().dtype(at::kByte));
  auto* const bytes = room.mutable_data_ptr<uint8_t>();
  float* const range = call.options.observe ? out.x_range.mutable_data_ptr<float>()
                                            : reinterpret_cast<float*>(bytes + kPartialBytes);
  check_launch(op, kernels::cuda::launch_observe_quantize(
                       {.x = x.const_data_ptr(),
                        .codes = out.x_codes.mutable_data_ptr<int8_t>(),
                        .clip_mask = out.clip_mask.mutable_data_ptr<uint8_t>(),
                        .fold_relu = call.options.relu_input},
                       grids.table, x.numel(),
                       {.partials = reinterpret_cast<kernels::MinMax*>(bytes),
                        .range = range,
                        .saw_nan = static_cast<uint8_t*>(out.saw_nan.mutable_data_ptr()),
                        .raised = flags.tells_x ? flags.not_finite.const_data_ptr<int>() : nullptr},
                       current_stream()));
}

EncodedWeight encode_channels(const char* op, const LayerCall& call, const WeightFlags& flags,
                              const EncodedSize& size) {
  static_assert(kSawNaN == kernels::cuda::kRowHoldsNan && kSawInfinity == kernels::cuda::kRowHoldsInfinity);
  const WeightGrid& grid = call.weight_grid;
  const Tensor weight = call.weight.contiguous();
  const int64_t n = weight.size(0), k = n == 0 ? 0 : weight.numel() / n;
  const Tensor scale = grid.scale.contiguous(), x_scale = call.x_grid.scale.contiguous(),
               x_zero_point = call.x_grid.zero_point.contiguous();
  const Tensor zero_point = grid.zero_point.has_value() ? grid.zero_point->contiguous() : Tensor();
  Tensor channel_scale;
  EncodedWeight encoded{at::empty({size.rows, size.row}, weight.options().dtype(at::kChar)),
                        at::empty({n}, weight.options().dtype(at::kInt)), at::empty({n}, weight.options())};
  check_launch(
      op, kernels::cuda::launch_encode_rows(
              {.weight = weight.const_data_ptr<float>(),
               .rows = n,
               .row_length = k,
               .qmin = static_cast<int32_t>(grid.qmin),
               .qmax = static_cast<int32_t>(grid.qmax),
               .scale = scale.mutable_data_ptr<float>(),
               .zero_point = zero_point.defined() ? zero_point.mutable_data_ptr<int32_t>() : nullptr,
               .has_one_scale = scale.numel() == 1,
               .finds_grids = flags.finds_grids,
               .not_finite = flags.not_finite.mutable_data_ptr<int>()},
              kernels::cuda::ForwardRows{.codes = encoded.codes.mutable_data_ptr<int8_t>(),
                                         .stride = size.row,
                                         .padded_rows = size.rows,
                                         .x_scale = x_scale.const_data_ptr<float>(),
                                         .x_zero_point = x_zero_point.const_data_ptr<int32_t>(),
                                         .correction = encoded.correction.mutable_data_ptr<int32_t>(),
                                         .scale = encoded.scale.mutable_data_ptr<float>(),
                                         .channel_scale = floats_or_null(call.channel_scale, channel_scale)},
              current_stream()));
  return encoded;
}

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

}  // namespace samebits::ops
