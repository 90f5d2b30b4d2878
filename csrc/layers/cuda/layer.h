// What samebits::linear and samebits::conv2d share on CUDA: how a call is checked, how its input and its
// weight become codes, and who tells what was not finite. Checks of shapes only, because a look at grids
// would wait for the device.
#pragma once

#include <c10/core/impl/LocalDispatchKeySet.h>

#include "csrc/common/cuda/launch.h"
#include "csrc/layers/layer.h"
#include "csrc/quantize/cuda/device_grids.h"

namespace samebits::ops {

/// What becomes of the weight's grids and of what is not finite in it.
struct WeightFlags {
  bool finds_grids;       // those of the weight's rows are found and written to the call's weight_grid
  at::Tensor not_finite;  // int32 of no dimensions: kSawNaN and kSawInfinity are added
  bool tells_x;           // saw_nan takes over what not_finite says
};

/// Devices, and what a CUDA tensor cannot have yet.
void check_cuda_layer(const char* op, const LayerCall& call);

/// The grid of x.
DeviceGridTable input_grids(const char* op, const LayerCall& call);

/// Fills x_codes, clip_mask and saw_nan of `out`; with observe x_range too.
void quantize_on_device(const char* op, const LayerCall& call, const DeviceGridTable& grids,
                        const WeightFlags& flags, LayerOutput& out);

/// A weight [out, …] without groups, and the terms of its channels.
struct EncodedWeight {
  at::Tensor codes;  // [rows][row]: minus zero points; zeros behind the weight's own
  at::Tensor correction, scale;
};
/// The size of the codes, at least that of the weight.
struct EncodedSize {
  int64_t rows, row;
};
EncodedWeight encode_channels(const char* op, const LayerCall& call, const WeightFlags& flags,
                              const EncodedSize& size);

/// Grids that no row has for itself, of the whole weight or of groups, to call.weight_grid. Returns what was
/// not finite.
at::Tensor find_grids(LayerCall& call);

/// forward(call, flags) of a call with given grids.
template <class Call, class Forward>
LayerOutput layer_on_device(const char* op, const Call& call, const Forward& forward) {
  check_cuda_layer(op, call);
  const c10::cuda::CUDAGuard guard(call.x.device());
  return forward(call, {.finds_grids = false, .not_finite = lowered_flag(call.x), .tells_x = true});
}

/// The same of a call that finds the weight's grids.
template <class Call, class Forward>
EncodedLayerOutput encoded_layer_on_device(const char* op, const Call& given, const Forward& forward) {
  check_encoding(op, given);
  check_cuda_layer(op, given);
  const c10::cuda::CUDAGuard guard(given.x.device());
  Call call = given;
  WeightFlags flags{.finds_grids = true, .not_finite = lowered_flag(call.x), .tells_x = false};
  if (call.encoding.granularity == quant::Granularity::kPerChannel) {
    call.weight_grid = empty_weight_grid(call.weight, call.encoding);
    return encoded_output(call, forward(call, flags), flags.not_finite);
  }
  const at::Tensor not_finite = find_grids(call);
  flags.finds_grids = false;
  return encoded_output(call, forward(call, flags), not_finite);
}

}  // namespace samebits::ops
