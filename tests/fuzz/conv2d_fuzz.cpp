// Fuzzes whole convolutions against the oracle, as conv2d chooses its implementations itself (tools/fuzz.py
// runs this target once for each SAMEBITS_ISA), and max pools against their reference.
#include "kernels/conv/conv2d.h"

#include "kernels/conv/max_pool.h"
#include "tests/fuzz/fuzz_case.h"
#include "tests/oracle.h"

namespace samebits::fuzz {
namespace {

using kernels::Conv2dShape;
using kernels::GemmOutput;

/// One axis: sizes that leave at least one output.
struct Axis {
  std::int64_t size, kernel, stride, padding, dilation;

  explicit Axis(Source& source, std::int64_t highest) {
    kernel = source.between(1, 5);
    stride = source.between(1, 4);
    dilation = source.between(1, 3);
    padding = source.between(0, 6);
    const std::int64_t smallest = std::max<std::int64_t>(1, dilation * (kernel - 1) + 1 - 2 * padding);
    size = std::max(smallest, source.size(1, 12, highest));
  }
};

Conv2dShape any_shape(Source& source) {
  const Axis rows(source, 20), columns(source, 80);
  const std::int64_t groups = source.between(1, 5);
  const std::int64_t in_channels = groups * source.size(1, 2, 9),
                     out_channels = groups * source.size(1, 4, 12);
  return {in_channels,    rows.size,        columns.size,   out_channels, rows.kernel,
          columns.kernel, rows.stride,      columns.stride, rows.padding, columns.padding,
          rows.dilation,  columns.dilation, groups};
}

oracle::Conv2d to_oracle(const Conv2dShape& s) {
  return {s.in_channels,     s.height,         s.width,        s.out_channels,   s.kernel_height,
          s.kernel_width,    s.stride_height,  s.stride_width, s.padding_height, s.padding_width,
          s.dilation_height, s.dilation_width, s.groups};
}
oracle::Grid to_oracle(const kernels::AffineGrid& grid) {
  return {grid.scale, grid.zero_point, grid.qmin, grid.qmax};
}

kernels::AffineGrid usual_grid(Source& source) {
  return {static_cast<float>(source.drawn(1, 1000)) * 0.003f, source.drawn(-128, 127), -128, 127};
}

/// Codes of 8 bits, symmetric, or of 4 bits with zero points; a scale a channel or one.
oracle::Weights any_weights(Source& source, const Conv2dShape& shape) {
  const bool is_affine = source.flag(), per_tensor = source.flag();
  const std::int32_t qmin = is_affine ? -8 : -128, qmax = is_affine ? 7 : 127;
  oracle::Weights weights{.n = shape.out_channels, .k = shape.depth()};
  const Block<std::int8_t> from = codes(source, weights.n * weights.k, qmin, qmax);
  weights.codes.assign(from.data(), from.data() + from.size());
  for (std::int64_t i = 0; i < (per_tensor ? 1 : weights.n); ++i) {
    weights.scale.push_back(static_cast<float>(source.drawn(1, 1000)) * 0.00007f);
    if (is_affine) weights.zero_point.push_back(source.drawn(qmin, qmax));
  }
  return weights;
}

/// What a convolution writes, or should.
struct Outputs {
  Block<float> y;
  Block<std::int8_t> codes;
};

void fill_expected(const std::vector<float>& y, bool relu, const kernels::AffineGrid& grid,
                   Outputs& expected) {
  for (std::int64_t i = 0; i < std::ssize(y); ++i) {
    expected.y[i] = relu && y[i] < 0.0f ? 0.0f : y[i];
    expected.codes[i] = static_cast<std::int8_t>(oracle::code(expected.y[i], to_oracle(grid)));
  }
}

void fuzz_conv2d(Source& source) {
  const Conv2dShape shape = any_shape(source);
  const std::int64_t images = source.between(1, 2), pixels = shape.out_height() * shape.out_width();
  const kernels::AffineGrid x_grid = usual_grid(source), y_grid = usual_grid(source);
  const oracle::Weights weights = any_weights(source, shape);
  const Block<std::int8_t> x = codes(source, images * shape.in_channels * shape.height * shape.width);
  const Block<float> bias_values = plain_floats(source, shape.out_channels, 3.0f);
  std::vector<float> bias;
  if (source.flag()) bias.assign(bias_values.data(), bias_values.data() + shape.out_channels);
  const bool wants_codes = source.flag(), relu = source.flag();

  const std::int64_t planes = images * shape.out_channels;
  const Outputs empty{Block<float>(planes * pixels, source.between(0, 3)),
                      Block<std::int8_t>(planes * pixels, source.between(0, 3))};
  Outputs expected(empty), got(empty);
  fill_expected(oracle::conv2d({x.data(), x.data() + x.size()}, images, to_oracle(shape), to_oracle(x_grid),
                               weights, bias),
                relu, y_grid, expected);
  std::vector<std::int8_t> centered(weights.codes.size());
  for (std::int64_t i = 0; i < std::ssize(centered); ++i)
    centered[i] = static_cast<std::int8_t>(weights.centered(i / weights.k, i % weights.k));
  kernels::PackedWeight packed =
      kernels::allocate_packed_weight(kernels::WeightOrder::kRows, weights.n, weights.k, 0);
  kernels::pack_weight_rows(centered.data(), {weights.scale.data(), weights.scale.size() == 1}, 0, weights.n,
                            packed);
  const kernels::LayerTerms terms = layer_terms(packed, x_grid, bias.empty() ? nullptr : bias.data());
  const kernels::Conv2dOutput output{wants_codes ? GemmOutput::kCodes : GemmOutput::kFloat,
                                     wants_codes ? static_cast<void*>(got.codes.data()) : got.y.data(), relu,
                                     y_grid};
  for (const Piece& piece : pieces(source, 0, conv2d_work_items(shape, images), 1))
    expect(!conv2d(packed, terms, shape, x_grid, x.data(), output, piece.begin, piece.end), "conv2d: a NaN");
  if (wants_codes)
    expect_same("conv2d: codes", got.codes, expected.codes);
  else
    expect_same("conv2d: y", got.y, expected.y);
}

kernels::MaxPoolShape any_pool(Source& source) {
  const auto axis = [&](std::int64_t highest) {
    const std::int64_t kernel = source.size(1, 4, 15);
    const std::int64_t padding = source.between(0, kernel / 2);
    const std::int64_t size = std::max(kernel - 2 * padding, source.size(1, 20, highest));
    return std::array{std::max<std::int64_t>(size, 1), kernel, source.between(1, 4), padding};
  };
  const auto rows = axis(30), columns = axis(90);
  return {rows[0], columns[0], rows[1], columns[1], rows[2], columns[2], rows[3], columns[3]};
}

void fuzz_max_pool(Source& source) {
  const kernels::MaxPoolShape shape = any_pool(source);
  const std::int64_t planes = source.between(1, 4), begin = source.between(0, planes - 1);
  Block<float> x(planes * shape.in_size(), source.between(0, 3));
  for (std::int64_t i = 0; i < x.size(); ++i) x[i] = hard_float(source, 1.0f);
  const Block<std::int8_t> x_codes = codes(source, x.size());
  const Block<float> y(planes * shape.out_size()), grad_x(x.size());
  const Block<std::uint8_t> argmax(y.size());
  const Block<std::int8_t> y_codes(y.size());
  const Block<float> grad_y = plain_floats(source, y.size(), 1.0f);
  const auto& forward = kernels::max_pool;
  Block<float> expected_y(y);
  Block<std::uint8_t> places(argmax);
  forward.reference().run(shape, x.data(), expected_y.data(), places.data(), begin, planes);
  for (const auto& entry : usable(forward)) {
    Block<float> got(y);
    Block<std::uint8_t> got_places(argmax);
    entry.run(shape, x.data(), got.data(), got_places.data(), begin, planes);
    expect_same(std::string("max_pool ") + entry.name + ": y", got, expected_y);
    expect_same(std::string("max_pool ") + entry.name + ": argmax", got_places, places);
  }
  const auto& on_codes = kernels::max_pool_codes;
  Block<std::int8_t> expected_codes(y_codes);
  on_codes.reference().run(shape, x_codes.data(), expected_codes.data(), begin, planes);
  for (const auto& entry : usable(on_codes)) {
    Block<std::int8_t> got(y_codes);
    entry.run(shape, x_codes.data(), got.data(), begin, planes);
    expect_same(std::string("max_pool_codes ") + entry.name, got, expected_codes);
  }
  const auto& backward = kernels::max_pool_backward;
  Block<float> expected_grad(grad_x);
  backward.reference().run(shape, grad_y.data(), places.data(), expected_grad.data(), begin, planes);
  for (const auto& entry : usable(backward)) {
    Block<float> got(grad_x);
    entry.run(shape, grad_y.data(), places.data(), got.data(), begin, planes);
    expect_same(std::string("max_pool_backward ") + entry.name, got, expected_grad);
  }
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  samebits::fuzz::Source source(data, size);
  if (source.between(0, 3) == 0)
    samebits::fuzz::fuzz_max_pool(source);
  else
    samebits::fuzz::fuzz_conv2d(source);
  return 0;
}
