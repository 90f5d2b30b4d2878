// torch operator over kernels/quantize/dequantize.h: schema, checks, CPU, Meta.
#include "csrc/quantize/dequantize.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/quantize/grids.h"
#include "kernels/quantize/dequantize.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "dequantize(Tensor codes, Tensor scale, Tensor zero_point, int axis=0, int group_size=0, ScalarType? "
      "dtype=None) -> Tensor y");
}

Tensor dequantize(const Tensor& codes, const Tensor& scale, const Tensor& zero_point, int64_t axis,
                  int64_t group_size, std::optional<at::ScalarType> dtype) {
  static const auto op = find_op<decltype(dequantize)>("samebits::dequantize");
  return op.call(codes, scale, zero_point, axis, group_size, dtype);
}

namespace {

Tensor empty_output(const Tensor& codes, std::optional<at::ScalarType> dtype) {
  const Tensor y =
      at::empty_like(codes, codes.options().dtype(dtype.value_or(at::kFloat)), at::MemoryFormat::Contiguous);
  float_type("dequantize", "dtype", y);
  return y;
}

Tensor dequantize_meta(const Tensor& codes, const Tensor& scale, const Tensor& zero_point, int64_t axis,
                       int64_t group_size, std::optional<at::ScalarType> dtype) {
  check_dtype("dequantize", "codes", codes, at::kChar);
  check_grid_shapes({"dequantize", "", scale, zero_point, -128, 127, axis, group_size}, codes);
  return empty_output(codes, dtype);
}

Tensor dequantize_cpu(const Tensor& codes_any, const Tensor& scale, const Tensor& zero_point, int64_t axis,
                      int64_t group_size, std::optional<at::ScalarType> dtype) {
  check_dtype("dequantize", "codes", codes_any, at::kChar);
  const Tensor codes = codes_any.contiguous();
  const Grids grids =
      checked_grids({"dequantize", "", scale, zero_point, -128, 127, axis, group_size}, codes);
  const Tensor y = empty_output(codes, dtype);
  const kernels::FloatType type = float_type("dequantize", "dtype", y);
  at::parallel_for(0, codes.numel(), at::internal::GRAIN_SIZE, [&](int64_t begin, int64_t end) {
    kernels::dequantize_codes(codes.const_data_ptr<int8_t>(), y.mutable_data_ptr(), grids.table, begin, end,
                              type);
  });
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("dequantize", dequantize_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("dequantize", dequantize_meta);
}

}  // namespace samebits::ops
