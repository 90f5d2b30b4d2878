// torch operator over kernels/formats/fake_quantize_small_float.h: schema, checks, CPU, Meta, autograd.
#include "csrc/formats/fake_quantize_small_float.h"

#include <torch/library.h>

#include <utility>

#include "csrc/common/check.h"
#include "csrc/quantize/clip_mask_threads.h"
#include "csrc/quantize/grids.h"
#include "csrc/quantize/straight_through.h"
#include "kernels/formats/fake_quantize_small_float.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "fake_quantize_float(Tensor x, Tensor scale, str format, bool saturate=True, int axis=0,"
      " int group_size=0) -> (Tensor y, Tensor clip_mask, Tensor saw_nan)");
}

FakeQuantized fake_quantize_float(const Tensor& x, const Tensor& scale, std::string_view format,
                                  bool saturate, int64_t axis, int64_t group_size) {
  static const auto op = find_op<decltype(fake_quantize_float)>("samebits::fake_quantize_float");
  return op.call(x, scale, format, saturate, axis, group_size);
}

namespace {

constexpr std::pair<std::string_view, kernels::SmallFloat> kFormats[] = {
    {"e4m3", kernels::kFloat8E4M3}, {"e5m2", kernels::kFloat8E5M2}, {"e3m2", kernels::kFloat6E3M2},
    {"e2m3", kernels::kFloat6E2M3}, {"e2m1", kernels::kFloat4E2M1},
};

FakeQuantized float_meta(const Tensor& x, const Tensor& scale, std::string_view format, bool saturate,
                         int64_t axis, int64_t group_size) {
  float_type("fake_quantize_float", "x", x);
  checked_small_float(format, saturate);
  check_grid_shapes({"fake_quantize_float", "", scale, Tensor(), -128, 127, axis, group_size}, x);
  return empty_fake_quantized(x);
}

FakeQuantized float_cpu(const Tensor& x_any, const Tensor& scale, std::string_view format_name, bool saturate,
                        int64_t axis, int64_t group_size) {
  const kernels::FloatType type = float_type("fake_quantize_float", "x", x_any);
  const kernels::SmallFloat format = checked_small_float(format_name, saturate);
  const auto overflow = saturate ? kernels::Overflow::kSaturate : kernels::Overflow::kToSpecial;
  const Tensor x = x_any.contiguous(), no_zero_point;
  const Grids grids =
      checked_grids({"fake_quantize_float", "", scale, no_zero_point, -128, 127, axis, group_size}, x);
  auto [y, clip_mask, saw_nan] = empty_fake_quantized(x);
  const kernels::SmallFloatArgs args{x.const_data_ptr(), y.mutable_data_ptr(), nullptr,
                                     clip_mask.mutable_data_ptr<uint8_t>(), type};
  saw_nan.fill_(any_in_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    return kernels::fake_quantize_small_float(args, format, overflow, grids.table, begin, end);
  }));
  return {y, clip_mask, saw_nan};
}

FakeQuantized float_autograd(const Tensor& x, const Tensor& scale, std::string_view format, bool saturate,
                             int64_t axis, int64_t group_size) {
  return straight_through(x,
                          [&] { return fake_quantize_float(x, scale, format, saturate, axis, group_size); });
}

}  // namespace

kernels::SmallFloat checked_small_float(std::string_view name, bool saturate) {
  for (const auto& [known, format] : kFormats) {
    if (known != name) continue;
    TORCH_CHECK(saturate || format.nan_code != 0, "[fake_quantize_float] saturate: expected true for ", name,
                ", which has neither infinity nor NaN, got false; or take e4m3 or e5m2");
    return format;
  }
  TORCH_CHECK(false, "[fake_quantize_float] format: expected e4m3, e5m2, e3m2, e2m3 or e2m1, got \"", name,
              "\"");
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("fake_quantize_float", float_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("fake_quantize_float", float_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("fake_quantize_float", float_autograd);
}

}  // namespace samebits::ops
