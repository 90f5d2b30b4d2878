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

Quantized quantize_stochastic(const StochasticCall& call) {
  return call_operator(call);
}

namespace {

Quantized stochastic_meta(const StochasticCall& call) {
  float_type(call.kOp, "x", call.x);
  check_grid_shapes(
      {call.kOp, "", call.scale, call.zero_point, call.qmin, call.qmax, call.axis, call.group_size}, call.x);
  return {at::empty_like(call.x, call.x.options().dtype(at::kChar), at::MemoryFormat::Contiguous),
          empty_clip_mask(call.x), at::empty({}, call.x.options().dtype(at::kBool))};
}

Quantized stochastic_cpu(const StochasticCall& call) {
  auto [codes, clip_mask, saw_nan] = stochastic_meta(call);
  const Tensor x = call.x.contiguous();
  const Grids grids = checked_grids(
      {call.kOp, "", call.scale, call.zero_point, call.qmin, call.qmax, call.axis, call.group_size}, x);
  const kernels::StochasticArgs args{.x = x.const_data_ptr(),
                                     .codes = codes.mutable_data_ptr<int8_t>(),
                                     .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                     .type = float_type(call.kOp, "x", x),
                                     .seed = static_cast<uint64_t>(call.seed),
                                     .stream = static_cast<uint64_t>(call.stream)};
  saw_nan.fill_(any_in_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    return kernels::quantize_stochastic(args, grids.table, begin, end);
  }));
  return {codes, clip_mask, saw_nan};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("quantize_stochastic", unpacked<stochastic_cpu>);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("quantize_stochastic", unpacked<stochastic_meta>);
}

}  // namespace samebits::ops
