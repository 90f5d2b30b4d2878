// torch operator over kernels/formats/mx.h: schema, checks, CPU, Meta, autograd.
#include "csrc/formats/mx.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "csrc/common/check.h"
#include "csrc/quantize/straight_through.h"
#include "kernels/formats/mx.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("fake_quantize_mx(Tensor x, str format) -> (Tensor y, Tensor clip_mask, Tensor saw_nan)");
}

FakeQuantized fake_quantize_mx(const Tensor& x, std::string_view format) {
  static const auto op = find_op<decltype(fake_quantize_mx)>("samebits::fake_quantize_mx");
  return op.call(x, format);
}

namespace {

constexpr std::pair<std::string_view, kernels::MxFormat> kFormats[] = {
    {"e4m3", kernels::kMxFloat8E4M3}, {"e5m2", kernels::kMxFloat8E5M2}, {"e3m2", kernels::kMxFloat6E3M2},
    {"e2m3", kernels::kMxFloat6E2M3}, {"e2m1", kernels::kMxFloat4E2M1}, {"int8", kernels::kMxInt8},
};

FakeQuantized mx_meta(const Tensor& x, std::string_view format) {
  float_type("fake_quantize_mx", "x", x);
  checked_mx_format(format);
  return empty_fake_quantized(x);
}

FakeQuantized mx_cpu(const Tensor& x_any, std::string_view format_name) {
  const kernels::FloatType type = float_type("fake_quantize_mx", "x", x_any);
  const kernels::MxFormat format = checked_mx_format(format_name);
  const Tensor x = x_any.contiguous();
  auto [y, clip_mask, saw_nan] = empty_fake_quantized(x);
  saw_nan.fill_(false);
  if (x.numel() == 0) return {y, clip_mask, saw_nan};
  const kernels::MxRows rows{x.dim() == 0 ? 1 : x.size(-1)};
  const kernels::MxArgs args{x.const_data_ptr(),
                             y.mutable_data_ptr(),
                             nullptr,
                             nullptr,
                             clip_mask.mutable_data_ptr<uint8_t>(),
                             type};
  // No two threads share a byte of the mask: they cut at multiples of `step` blocks.
  const int64_t blocks = x.numel() / rows.row_length * rows.blocks_per_row(), step = rows.block_step();
  const int64_t grain = 1 + at::internal::GRAIN_SIZE / (step * kernels::kMxBlock);
  std::atomic<bool> any_nan = false;
  at::parallel_for(0, (blocks + step - 1) / step, grain, [&](int64_t first, int64_t last) {
    if (kernels::fake_quantize_mx(args, format, rows, first * step, std::min(last * step, blocks)))
      any_nan = true;
  });
  saw_nan.fill_(any_nan.load());
  return {y, clip_mask, saw_nan};
}

FakeQuantized mx_autograd(const Tensor& x, std::string_view format) {
  return straight_through(x, [&] { return fake_quantize_mx(x, format); });
}

}  // namespace

kernels::MxFormat checked_mx_format(std::string_view name) {
  for (const auto& [known, format] : kFormats)
    if (known == name) return format;
  TORCH_CHECK(false, "[fake_quantize_mx] format: expected e4m3, e5m2, e3m2, e2m3, e2m1 or int8, got \"", name,
              "\"");
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("fake_quantize_mx", mx_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("fake_quantize_mx", mx_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("fake_quantize_mx", mx_autograd);
}

}  // namespace samebits::ops
