// torch operators over kernels/formats/codebook.h: schema, checks, CPU, Meta, autograd.
#include "csrc/formats/codebook.h"

#include <torch/library.h>

#include <stdexcept>

#include "csrc/common/check.h"
#include "csrc/quantize/clip_mask_threads.h"
#include "csrc/quantize/grids.h"
#include "csrc/quantize/straight_through.h"
#include "kernels/formats/codebook.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "fake_quantize_codebook(Tensor x, Tensor scale, float[] codebook, int axis=0, int group_size=0)"
      " -> (Tensor y, Tensor clip_mask, Tensor saw_nan)");
  library.def("powers_of_two(int bits) -> float[] codebook", powers_of_two);
  library.def("additive_powers_of_two(int bits, bool is_signed=True) -> float[] codebook",
              additive_powers_of_two);
  library.def("normal_float4() -> float[] codebook", normal_float4);
}

FakeQuantized fake_quantize_codebook(const Tensor& x, const Tensor& scale, at::ArrayRef<double> codebook,
                                     int64_t axis, int64_t group_size) {
  static const auto op = find_op<decltype(fake_quantize_codebook)>("samebits::fake_quantize_codebook");
  return op.call(x, scale, codebook, axis, group_size);
}

namespace {

/// What `make` gives, its std::invalid_argument as torch's error.
template <class Make>
kernels::Codebook checked(Make make) {
  try {
    return make();
  } catch (const std::invalid_argument& error) {
    TORCH_CHECK(false, error.what());
  }
}

std::vector<double> values_of(const kernels::Codebook& codebook) {
  return {codebook.values, codebook.values + codebook.size};
}

FakeQuantized codebook_meta(const Tensor& x, const Tensor& scale, at::ArrayRef<double> codebook, int64_t axis,
                            int64_t group_size) {
  float_type("fake_quantize_codebook", "x", x);
  checked_codebook(codebook);
  check_grid_shapes({"fake_quantize_codebook", "", scale, Tensor(), -128, 127, axis, group_size}, x);
  return empty_fake_quantized(x);
}

FakeQuantized codebook_cpu(const Tensor& x_any, const Tensor& scale, at::ArrayRef<double> values,
                           int64_t axis, int64_t group_size) {
  const kernels::FloatType type = float_type("fake_quantize_codebook", "x", x_any);
  const kernels::Codebook codebook = checked_codebook(values);
  const Tensor x = x_any.contiguous(), no_zero_point;
  const Grids grids =
      checked_grids({"fake_quantize_codebook", "", scale, no_zero_point, -128, 127, axis, group_size}, x);
  auto [y, clip_mask, saw_nan] = empty_fake_quantized(x);
  const kernels::CodebookArgs args{x.const_data_ptr(), y.mutable_data_ptr(), nullptr,
                                   clip_mask.mutable_data_ptr<uint8_t>(), type};
  saw_nan.fill_(any_in_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    return kernels::fake_quantize_codebook(args, codebook, grids.table, begin, end);
  }));
  return {y, clip_mask, saw_nan};
}

FakeQuantized codebook_autograd(const Tensor& x, const Tensor& scale, at::ArrayRef<double> codebook,
                                int64_t axis, int64_t group_size) {
  return straight_through(x, [&] { return fake_quantize_codebook(x, scale, codebook, axis, group_size); });
}

}  // namespace

kernels::Codebook checked_codebook(at::ArrayRef<double> values) {
  return checked([&] {
    const std::vector<float> floats(values.begin(), values.end());
    return kernels::make_codebook(floats);
  });
}

std::vector<double> powers_of_two(int64_t bits) {
  return values_of(checked([&] { return kernels::powers_of_two(static_cast<int>(bits)); }));
}

std::vector<double> additive_powers_of_two(int64_t bits, bool is_signed) {
  return values_of(
      checked([&] { return kernels::additive_powers_of_two(static_cast<int>(bits), is_signed); }));
}

std::vector<double> normal_float4() {
  return values_of(kernels::normal_float4());
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("fake_quantize_codebook", codebook_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("fake_quantize_codebook", codebook_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("fake_quantize_codebook", codebook_autograd);
}

}  // namespace samebits::ops
