// torch operator over kernels/quantize/quantize.h: schema, checks, CPU, Meta.
#include "csrc/quantize/quantize.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/quantize/clip_mask_threads.h"
#include "csrc/quantize/grids.h"
#include "kernels/quantize/quantize.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "quantize(Tensor x, Tensor scale, Tensor zero_point, int qmin, int qmax, int axis=0, int group_size=0)"
      " -> (Tensor codes, Tensor clip_mask, Tensor saw_nan)");
}

Quantized quantize(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin, int64_t qmax,
                   int64_t axis, int64_t group_size) {
  static const auto op = find_op<decltype(quantize)>("samebits::quantize");
  return op.call(x, scale, zero_point, qmin, qmax, axis, group_size);
}

namespace {

Quantized empty_outputs(const Tensor& x) {
  return {at::empty_like(x, x.options().dtype(at::kChar), at::MemoryFormat::Contiguous), empty_clip_mask(x),
          at::empty({}, x.options().dtype(at::kBool))};
}

Quantized quantize_meta(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                        int64_t qmax, int64_t axis, int64_t group_size) {
  float_type("quantize", "x", x);
  check_grid_shapes({"quantize", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  return empty_outputs(x);
}

Quantized quantize_cpu(const Tensor& x_any, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                       int64_t qmax, int64_t axis, int64_t group_size) {
  const kernels::FloatType type = float_type("quantize", "x", x_any);
  const Tensor x = x_any.contiguous();
  const Grids grids = checked_grids({"quantize", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  auto [codes, clip_mask, saw_nan] = empty_outputs(x);
  const kernels::QuantizeArgs args{.x = x.const_data_ptr(),
                                   .codes = codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                   .type = type};
  saw_nan.fill_(any_in_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    return kernels::quantize(args, grids.table, begin, end);
  }));
  return {codes, clip_mask, saw_nan};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("quantize", quantize_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("quantize", quantize_meta);
}

}  // namespace samebits::ops
