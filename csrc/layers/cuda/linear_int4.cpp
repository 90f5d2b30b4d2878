// samebits::linear_int4 and linear_weight_only on CUDA. They take the packing of pack_int4_weight, so that a
// packed weight moves between devices: for few rows as it is, for many unpacked to one byte a level,
// row-major, in every call. Checks of shapes only, because a look at grids would wait for the device.
#include "csrc/layers/linear_int4.h"

#include <torch/library.h>

#include <algorithm>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/matmul/cuda/gemm_float_int4.h"
#include "kernels/matmul/cuda/gemm_int4.h"
#include "kernels/matmul/cuda/gemv_int4.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using kernels::Int4Shape;
using OptionalTensor = std::optional<Tensor>;

/// Levels [n][k], one byte each, of lines as kernels/formats/pack_int4.h orders them.
Tensor row_major_levels(const Tensor& packed, const Int4Shape& shape) {
  constexpr int64_t kQuad = 4;
  const Tensor bytes =
      packed.reshape({shape.blocks(), shape.groups(), shape.lines(), Int4Shape::kColumns, kQuad});
  const Tensor quads = at::stack({bytes.bitwise_and(15), bytes.bitwise_right_shift(4)}, 4);
  return quads.permute({0, 3, 1, 2, 4, 5})
      .reshape({shape.blocks() * Int4Shape::kColumns, shape.groups(), shape.lines() * Int4Shape::kLineDepth})
      .narrow(0, 0, shape.n)
      .narrow(2, 0, shape.depth())
      .reshape({shape.n, shape.groups() * shape.depth()})
      .narrow(1, 0, shape.k)
      .contiguous()
      .view(at::kChar);
}

/// Terms [n][groups] of [blocks][groups][16].
Tensor row_major_terms(const Tensor& packed, const Int4Shape& shape) {
  return packed.reshape({shape.blocks(), shape.groups(), Int4Shape::kColumns})
      .transpose(1, 2)
      .reshape({shape.blocks() * Int4Shape::kColumns, shape.groups()})
      .narrow(0, 0, shape.n)
      .contiguous();
}

/// A packed weight as it is, and what keeps its arrays alive.
struct PackedOnDevice {
  Tensor levels, scale, zero_level;
  kernels::PackedInt4 weight;

  PackedOnDevice(const PackedInt4Weight& packed, const Int4Shape& shape)
      : levels(packed.levels.contiguous()),
        scale(packed.scale.contiguous()),
        zero_level(packed.zero_levels.contiguous()),
        weight{shape, levels.const_data_ptr<uint8_t>(), scale.const_data_ptr<float>(),
               zero_level.numel() == 0 ? nullptr : zero_level.const_data_ptr<uint8_t>()} {}
};

void check_weight_device(const char* op, const PackedInt4Weight& packed, const Tensor& x) {
  check_device(op, "", "levels", packed.levels, x);
  check_device(op, "", "packed_scale", packed.scale, x);
  check_device(op, "", "zero_levels", packed.zero_levels, x);
}

/// A packed weight as the kernels for many rows take it, and what keeps its arrays alive. Levels are its
/// codes; that of the real 0 is their zero point.
struct DeviceWeight {
  Tensor levels, scale, zero_point;
  kernels::cuda::RowMajorWeight weight;

  DeviceWeight(const PackedInt4Weight& packed, const Int4Shape& shape) {
    levels = row_major_levels(packed.levels, shape);
    scale = row_major_terms(packed.scale, shape);
    zero_point = packed.zero_levels.numel() == 0 ? at::full_like(scale, kernels::PackedInt4{}.zero, at::kInt)
                                                 : row_major_terms(packed.zero_levels, shape).to(at::kInt);
    weight = {levels.const_data_ptr(), kernels::cuda::CodeFormat::kInt8, shape, scale.const_data_ptr<float>(),
              zero_point.const_data_ptr<int32_t>()};
  }
};

/// y with the bias, which `holder` keeps.
kernels::Int4Output output_of(const char* op, const Tensor& y, const OptionalTensor& bias, bool relu,
                              Tensor& holder) {
  if (bias.has_value()) {
    check_device(op, "", "bias", *bias, y);
    holder = bias->contiguous();
  }
  return {y.mutable_data_ptr<float>(), y.size(-1),
          holder.defined() ? holder.const_data_ptr<float>() : nullptr, relu};
}

Tensor linear_int4_cuda(const LinearInt4Call& call) {
  const c10::cuda::CUDAGuard guard(call.x.device());
  const Tensor y = empty_output(call), x = call.x.contiguous();
  const DeviceGridTable grid({call.kOp, "x_", call.x_scale, call.x_zero_point, -128, 127}, x);
  const Int4Shape shape{call.weight.out_features, x.size(-1), call.weight.group_size};
  check_weight_device(call.kOp, call.weight, x);
  Tensor bias_holder;
  const kernels::Int4Output output = output_of(call.kOp, y, call.bias, call.relu, bias_holder);
  const int64_t m = y.numel() / std::max<int64_t>(shape.n, 1);
  if (m <= kernels::cuda::kGemvRows) {
    const PackedOnDevice packed(call.weight, shape);
    check_launch(call.kOp, kernels::cuda::launch_gemv_int4({.a = x.const_data_ptr<int8_t>(),
                                                            .a_stride = shape.k,
                                                            .m = m,
                                                            .a_scale = grid.table.scale,
                                                            .a_zero_point = grid.table.zero_point,
                                                            .b = packed.weight,
                                                            .output = output},
                                                           current_stream()));
    return y;
  }
  const DeviceWeight weight(call.weight, shape);
  const kernels::cuda::GemmCodesArgs args{.a = x.const_data_ptr<int8_t>(),
                                          .a_stride = shape.k,
                                          .m = m,
                                          .a_scale = grid.table.scale,
                                          .a_zero_point = grid.table.zero_point,
                                          .b = weight.weight,
                                          .output = output};
  check_launch(call.kOp, kernels::cuda::launch_gemm_codes(args, current_stream()));
  return y;
}

Tensor linear_weight_only_cuda(const LinearWeightOnlyCall& call) {
  const c10::cuda::CUDAGuard guard(call.x.device());
  const Tensor y = empty_output(call), x = call.x.contiguous();
  const Int4Shape shape{call.weight.out_features, x.size(-1), call.weight.group_size};
  check_weight_device(call.kOp, call.weight, x);
  Tensor bias_holder;
  const kernels::Int4Output output = output_of(call.kOp, y, call.bias, call.relu, bias_holder);
  const int64_t m = y.numel() / std::max<int64_t>(shape.n, 1);
  if (m <= kernels::cuda::kGemvRows) {
    const PackedOnDevice packed(call.weight, shape);
    check_launch(call.kOp, kernels::cuda::launch_gemv_float_int4({.x = x.const_data_ptr(),
                                                                  .x_type = float_type(call.kOp, "x", x),
                                                                  .x_stride = shape.k,
                                                                  .m = m,
                                                                  .b = packed.weight,
                                                                  .output = output},
                                                                 current_stream()));
    return y;
  }
  const DeviceWeight weight(call.weight, shape);
  const kernels::cuda::GemmFloatArgs args{.x = x.const_data_ptr(),
                                          .x_type = float_type(call.kOp, "x", x),
                                          .x_stride = shape.k,
                                          .m = m,
                                          .b = weight.weight,
                                          .output = output};
  check_launch(call.kOp, kernels::cuda::launch_gemm_float_int4(args, current_stream()));
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("linear_int4", unpacked<linear_int4_cuda>);
  library.impl("linear_weight_only", unpacked<linear_weight_only_cuda>);
}

}  // namespace samebits::ops
