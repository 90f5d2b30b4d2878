// Fuzzes the products with 4-bit weights, of codes and of floats: groups of every length, parts of the
// output.
#include "kernels/matmul/gemm_int4.h"

#include "tests/fuzz/tensors.h"

namespace samebits::fuzz {
namespace {

using kernels::Int4Shape;

/// A packed matrix and all that it points to.
struct Weights {
  Int4Shape shape;
  std::int32_t qmin;
  Block<std::uint8_t> levels, zero_levels;
  Block<float> scale;
  bool has_zero_levels;

  explicit Weights(Source& source)
      : shape(any_shape(source)),
        qmin(source.flag() ? -8 : 0),
        levels(shape.packed_bytes()),
        zero_levels(shape.terms()),
        scale(shape.terms()),
        has_zero_levels(source.flag()) {
    const Block<std::int8_t> from = codes(source, shape.n * shape.k, qmin, qmin + 15);
    pack_gemm_int4(shape, from.data(), qmin, levels.data(), 0, shape.n);
    Block<float> scales(shape.n * shape.groups());
    Block<std::int32_t> zero_point(scales.size());
    for (std::int64_t i = 0; i < scales.size(); ++i) {
      scales[i] = static_cast<float>(source.drawn(1, 1 << 20)) * 0x1p-24f;
      zero_point[i] = source.drawn(qmin, qmin + 15);
    }
    pack_gemm_int4_scales(shape, scales.data(), scale.data(), 0, shape.n);
    pack_gemm_int4_zero_points(shape, zero_point.data(), qmin, zero_levels.data(), 0, shape.n);
  }
  Weights(const Weights&) = delete;
  kernels::PackedInt4 packed() const {
    return {shape, levels.data(), scale.data(), has_zero_levels ? zero_levels.data() : nullptr,
            static_cast<std::uint8_t>(-qmin)};
  }

 private:
  static Int4Shape any_shape(Source& source) {
    const std::int64_t n = source.size(1, 60, 300), k = source.size(1, 140, 600);
    return {n, k, source.flag() ? 4 * source.between(1, 40) : 0};
  }
};

/// Compares all implementations on one part of the output, whose rows after row_end need not exist in x.
template <class Kernel, class Args>
void compare(Source& source, const Kernel& kernel, Args args, std::int64_t m, std::int64_t row_end) {
  const std::int64_t n = args.b.shape.n, gap = source.between(0, 3);
  const std::int64_t row_begin = source.between(0, row_end);
  const bool whole = source.flag(), relu = source.flag(), has_bias = source.flag();
  const std::int64_t first = whole ? 0 : source.between(0, n) / 16 * 16;
  const std::int64_t rounded = source.between(first, n) / 16 * 16;
  const std::int64_t last = whole || source.flag() ? n : rounded;
  const Block<float> bias = plain_floats(source, n, 3.0f);
  const Block<float> empty(m * (n + gap) - gap, source.between(0, 3));
  const auto call = [&](auto run, Block<float>& y) {
    args.output = {y.data(), n + gap, has_bias ? bias.data() : nullptr, relu};
    run(args, row_begin, row_end, first, last);
  };
  Block<float> expected(empty);
  call(kernel.reference().run, expected);
  for (const auto& entry : usable(kernel)) {
    Block<float> got(empty);
    call(entry.run, got);
    expect_same(std::string(kernel.name()) + " " + entry.name, got, expected, same_real<float>);
  }
}

void fuzz_codes(Source& source) {
  const Weights weights(source);
  const std::int64_t m = source.size(1, 20, 80), k = weights.shape.k, gap = source.between(0, 3);
  const std::int64_t row_end = source.between(1, m);
  const Block<std::int8_t> a = codes(source, row_end * (k + gap) - gap);
  const kernels::GemmInt4Args args{.a = a.data(),
                                   .a_stride = k + gap,
                                   .a_scale = any_scale(source),
                                   .a_zero_point = source.drawn(-128, 127),
                                   .b = weights.packed(),
                                   .output = {}};
  compare(source, kernels::gemm_int4, args, m, row_end);
}

void fuzz_floats(Source& source) {
  const Weights weights(source);
  const std::int64_t m = source.size(1, 20, 80), k = weights.shape.k, gap = source.between(0, 3);
  const std::int64_t row_end = source.between(1, m);
  const bool any_value = source.between(0, 3) == 0;
  Tensor x(any_type(source), row_end * (k + gap) - gap, source.between(0, 3));
  for (std::int64_t i = 0; i < row_end * (k + gap) - gap; ++i)
    x.set(i, any_value ? hard_float(source, 1.0f) : static_cast<float>(source.drawn(-4096, 4096)) * 0x1p-9f);
  const kernels::GemmFloatInt4Args args{
      .x = x.data(), .x_type = x.type, .x_stride = k + gap, .b = weights.packed(), .output = {}};
  compare(source, kernels::gemm_float_int4, args, m, row_end);
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  samebits::fuzz::Source source(data, size);
  if (source.flag())
    samebits::fuzz::fuzz_codes(source);
  else
    samebits::fuzz::fuzz_floats(source);
  return 0;
}
