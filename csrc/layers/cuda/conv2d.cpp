// samebits::conv2d on CUDA: codes by our kernels, arranged with their channels side by side, and their
// product with its epilogue in one kernel (kernels/conv/cuda/conv2d.h). A NaN in x or in the weight raises
// saw_nan.
#include "csrc/layers/conv2d.h"

#include <torch/library.h>

#include "csrc/layers/cuda/layer.h"
#include "kernels/conv/conv2d_parts.h"
#include "kernels/conv/cuda/conv2d.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using kernels::Conv2dShape;

constexpr char kOp[] = "conv2d";

/// The shape of a call, which must have fewer than 2^31 pixels an image, and so on.
Conv2dShape device_shape(const LayerCall& call, const Conv2dWindow& window) {
  const Conv2dShape shape = conv2d_shape(call, window);
  TORCH_CHECK(kernels::cuda::ConvSizes::fits(shape), "[conv2d] x: expected sizes below ", int64_t{1} << 31,
              " on CUDA, got shape ", call.x.sizes(), ", stride ", at::IntArrayRef(window.stride),
              ", padding ", at::IntArrayRef(window.padding), ", dilation ", at::IntArrayRef(window.dilation));
  return shape;
}

/// y of codes and an encoded weight whose rows have depth() codes.
void multiply(const LayerCall& call, const Conv2dShape& shape, const EncodedWeight& weight,
              const LayerOutput& out) {
  const int64_t images = call.x.size(0);
  const Tensor x_zero_point = call.x_grid.zero_point.contiguous();
  Tensor bias_holder;
  const kernels::ChannelTerms terms{weight.correction.const_data_ptr<int32_t>(),
                                    weight.scale.const_data_ptr<float>(),
                                    floats_or_null(call.bias, bias_holder)};
  const auto* const codes = out.x_codes.const_data_ptr<int8_t>();
  const auto* const zero_point = x_zero_point.const_data_ptr<int32_t>();
  const auto* const weight_codes = weight.codes.const_data_ptr<int8_t>();
  auto* const y = out.y.mutable_data_ptr<float>();
  if (kernels::is_depthwise(shape)) {
    check_launch(kOp, kernels::cuda::launch_conv2d_depthwise({codes, weight_codes, zero_point, terms, y},
                                                             shape, images, current_stream()));
    return;
  }
  const auto bytes = out.x_codes.options();
  const Tensor x =
      at::empty({images, shape.height, shape.width, kernels::cuda::arranged_pixel(shape)}, bytes);
  const Tensor rows = at::empty({shape.out_channels, kernels::cuda::arranged_depth(shape)}, bytes);
  check_launch(kOp, kernels::cuda::launch_arrange_codes(codes, shape, images, x.mutable_data_ptr<int8_t>(),
                                                        current_stream()));
  check_launch(kOp, kernels::cuda::launch_arrange_weight(weight_codes, shape, rows.mutable_data_ptr<int8_t>(),
                                                         current_stream()));
  check_launch(kOp, kernels::cuda::launch_conv2d(
                        {x.const_data_ptr<int8_t>(), rows.const_data_ptr<int8_t>(), zero_point, terms, y},
                        shape, images, current_stream()));
}

/// The forward of conv2d on the device (layer.h).
LayerOutput forward(const LayerCall& call, const Conv2dWindow& window, const WeightFlags& flags) {
  const Conv2dShape shape = device_shape(call, window);
  LayerOutput out = empty_layer_output(call, conv2d_output_sizes(call, window));
  const DeviceGridTable x_grids = input_grids(kOp, call);
  const WeightGrid& grid = call.weight_grid;
  const DeviceGridTable weight_grids(
      {kOp, "weight_", grid.scale, grid.zero_point.value_or(Tensor()), grid.qmin, grid.qmax}, call.weight);
  const bool multiplies = out.y.numel() > 0 && call.weight.numel() > 0;
  EncodedWeight weight;
  if (multiplies || flags.finds_grids)
    weight = encode_channels(kOp, call, flags, {shape.out_channels, shape.depth()});
  quantize_on_device(kOp, call, x_grids, flags, out);
  if (multiplies) multiply(call, shape, weight, out);
  return out;
}

LayerOutput conv2d_cuda(const Conv2dCall& call) {
  return layer_on_device(kOp, call, [&](const LayerCall& layer, const WeightFlags& flags) {
    return forward(layer, call.window, flags);
  });
}

EncodedLayerOutput encoded_conv2d_cuda(const EncodedConv2dCall& call) {
  return encoded_layer_on_device(kOp, call, [&](const LayerCall& layer, const WeightFlags& flags) {
    return forward(layer, call.window, flags);
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("conv2d", unpacked<conv2d_cuda>);
  library.impl("conv2d.encoded", unpacked<encoded_conv2d_cuda>);
}

}  // namespace samebits::ops
