// Fuzzes gemm_int8: shapes around every tile, regions, gaps between rows, groups, and every way to end.
#include "kernels/matmul/gemm_int8.h"

#include "tests/fuzz/fuzz_case.h"

namespace samebits::fuzz {
namespace {

using kernels::GemmInt8Args;
using kernels::GemmOutput;
using kernels::GemmRegion;

/// Sizes and kinds of one call.
struct Shape {
  std::int64_t m, n, k, group_size, a_gap, output_gap;
  GemmOutput output;
  bool channels_are_rows, relu, has_bias;

  explicit Shape(Source& source) {
    m = source.size(1, 20, 100);
    n = source.size(1, 70, 300);
    k = source.size(1, 140, 600);
    constexpr GemmOutput kOutputs[] = {GemmOutput::kFloat, GemmOutput::kCodes};
    output = source.choice(kOutputs);
    channels_are_rows = source.flag();
    group_size = !channels_are_rows && source.flag() ? 4 * source.between(1, 40) : 0;
    relu = source.flag();
    has_bias = source.flag();
    a_gap = source.between(0, 3);
    output_gap = source.between(0, 3);
  }
  std::int64_t channels() const { return channels_are_rows ? m : n; }
  std::int64_t groups() const { return group_size == 0 ? 1 : (k + group_size - 1) / group_size; }
  std::int64_t element_bytes() const { return output == GemmOutput::kCodes ? 1 : 4; }
  std::int64_t a_size(std::int64_t rows) const { return rows * (k + a_gap) - (rows == 0 ? 0 : a_gap); }
  std::int64_t output_bytes() const { return (m * (n + output_gap) - output_gap) * element_bytes(); }
};

GemmRegion any_region(Source& source, const Shape& shape) {
  if (source.flag()) return {0, shape.m, 0, shape.n};
  GemmRegion region;
  region.row_begin = source.between(0, shape.m - 1);
  region.row_end = source.between(region.row_begin, shape.m);
  region.column_begin = source.between(0, shape.n - 1) / kernels::kColumnBlock * kernels::kColumnBlock;
  const std::int64_t end = source.between(region.column_begin, shape.n);
  region.column_end = source.flag() ? shape.n : end / kernels::kColumnBlock * kernels::kColumnBlock;
  return region;
}

/// The sums of b's columns, [groups][n].
Block<std::int32_t> column_sums(const Shape& shape, const Block<std::int8_t>& weight) {
  const std::int64_t length = shape.group_size == 0 ? shape.k : shape.group_size;
  Block<std::int32_t> sums(shape.groups() * shape.n);
  for (std::int64_t i = 0; i < sums.size(); ++i) sums[i] = 0;
  for (std::int64_t i = 0; i < shape.n * shape.k; ++i)
    sums[i % shape.k / length * shape.n + i / shape.k] += weight[i];
  return sums;
}

/// What one call wrote, as bytes.
struct Outputs {
  Block<std::uint8_t> bytes;
  bool saw_nan = false;
};

void fuzz(Source& source) {
  const Shape shape(source);
  const GemmRegion region = any_region(source, shape);
  // Half of the cases are small integers and halves: zeros and ties are then common.
  const bool is_small = source.flag();
  const std::int32_t code_bound = is_small ? 1 : 127, correction_bound = is_small ? 2 : 100'000;
  const Block<std::int8_t> a =
      codes(source, shape.a_size(region.row_end), -code_bound - !is_small, code_bound);
  const Block<std::int8_t> weight = codes(source, shape.n * shape.k, -code_bound - !is_small, code_bound);
  Block<std::int8_t> b(kernels::packed_size(shape.n, shape.k));
  kernels::pack_gemm_b(weight.data(), shape.n, shape.k, b.data(), 0, shape.n);
  Block<std::int32_t> correction(shape.groups() * shape.channels());
  Block<float> scale(correction.size()), bias = plain_floats(source, shape.channels(), 20.0f);
  for (std::int64_t i = 0; i < scale.size(); ++i) {
    correction[i] = source.drawn(-correction_bound, correction_bound);
    scale[i] = is_small ? 0.5f : static_cast<float>(source.drawn(1, 1 << 20)) * 0x1p-30f;
  }
  for (std::int64_t i = 0; is_small && i < bias.size(); ++i) bias[i] = std::rint(bias[i]) * 0.5f;
  if (source.between(0, 7) == 0) bias[source.between(0, bias.size() - 1)] = NAN;
  const auto qmin = static_cast<std::int32_t>(source.between(-128, 126));
  const auto qmax = static_cast<std::int32_t>(source.between(qmin + 1, 127));
  const kernels::AffineGrid grid{is_small ? 1.0f : any_scale(source), source.drawn(qmin, qmax), qmin, qmax};
  GemmInt8Args args{
      .a = a.data(), .a_stride = shape.k + shape.a_gap, .b = b.data(), .n = shape.n, .k = shape.k};
  const Block<std::int32_t> sums = column_sums(shape, weight);
  if (source.flag()) args.b_sums = sums.data();
  args.group_size = shape.group_size;
  args.x_scale = is_small ? 1.0f : any_scale(source);
  args.output_stride = shape.n + shape.output_gap;
  args.epilogue = {.output = shape.output,
                   .terms = {correction.data(), scale.data(), shape.has_bias ? bias.data() : nullptr},
                   .channels_are_rows = shape.channels_are_rows,
                   .relu = shape.relu,
                   .grid = grid};
  const Outputs empty{Block<std::uint8_t>(shape.output_bytes())};
  const auto call = [&](auto run, Outputs& to) {
    args.output = to.bytes.data();
    to.saw_nan = run(args, region);
  };
  const auto& kernel = kernels::gemm_int8;
  Outputs expected(empty);
  call(kernel.reference().run, expected);
  for (const auto& entry : usable(kernel)) {
    Outputs got(empty);
    call(entry.run, got);
    expect_same(std::string("gemm_int8 ") + entry.name + ": output byte", got.bytes, expected.bytes);
    expect(got.saw_nan == expected.saw_nan, std::string("gemm_int8 ") + entry.name + ": saw_nan");
  }
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  samebits::fuzz::Source source(data, size);
  samebits::fuzz::fuzz(source);
  return 0;
}
