// torch operator over kernels/quantize/stochastic.h: schema, checks, CPU, Meta.
#include "csrc/quantize/stochastic.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/quantize/clip_mask_threads.h"
#include "csrc/quantize/grids.h"
#include "kernels/quantize/stochastic.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "quantize_stochastic(Tensor x, Tensor scale, Tensor zero_point, int qmin, int qmax, int seed,"
      " int stream=0, int axis=0, int group_size=0) -> (Tensor codes, Tensor clip_mask, Tensor saw_nan)");
}

Quantized quantize_stochastic(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                              int64_t qmax, int64_t seed, int64_t stream, int64_t axis, int64_t group_size) {
  static const auto op = find_op<decltype(quantize_stochastic)>("samebits::quantize_stochastic");
  return op.call(x, scale, zero_point, qmin, qmax, seed, stream, axis, group_size);
}

namespace {

Quantized stochastic_meta(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                          int64_t qmax, int64_t /*seed*/, int64_t /*stream*/, int64_t axis,
                          int64_t group_size) {
  float_type("quantize_stochastic", "x", x);
  check_grid_shapes({"quantize_stochastic", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  return {at::empty_like(x, x.options().dtype(at::kChar), at::MemoryFormat::Contiguous), empty_clip_mask(x),
          at::empty({}, x.options().dtype(at::kBool))};
}

Quantized stochastic_cpu(const Tensor& x_any, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                         int64_t qmax, int64_t seed, int64_t stream, int64_t axis, int64_t group_size) {
  auto [codes, clip_mask, saw_nan] =
      stochastic_meta(x_any, scale, zero_point, qmin, qmax, seed, stream, axis, group_size);
  const Tensor x = x_any.contiguous();
  const Grids grids =
      checked_grids({"quantize_stochastic", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  const kernels::StochasticArgs args{.x = x.const_data_ptr(),
                                     .codes = codes.mutable_data_ptr<int8_t>(),
                                     .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                     .type = float_type("quantize_stochastic", "x", x),
                                     .seed = static_cast<uint64_t>(seed),
                                     .stream = static_cast<uint64_t>(stream)};
  saw_nan.fill_(any_in_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    return kernels::quantize_stochastic(args, grids.table, begin, end);
  }));
  return {codes, clip_mask, saw_nan};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("quantize_stochastic", stochastic_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("quantize_stochastic", stochastic_meta);
}

}  // namespace samebits::ops
