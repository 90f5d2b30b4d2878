// kernels/conv2d.h against the oracle: strides, padding, dilation, groups, and any split of the images.
#include "kernels/conv2d.h"

#include "tests/kernels/layers.h"

namespace samebits::kernels {
namespace {

class Conv2dTest : public KernelTest {};

struct Case {
  const char* why;
  Conv2dShape shape;
};
Conv2dShape square(std::int64_t in_channels, std::int64_t size, std::int64_t out_channels,
                   std::int64_t kernel) {
  return {in_channels, size, size, out_channels, kernel, kernel};
}
Conv2dShape with(Conv2dShape shape, std::int64_t stride, std::int64_t padding, std::int64_t dilation,
                 std::int64_t groups) {
  shape.stride_height = shape.stride_width = stride;
  shape.padding_height = shape.padding_width = padding;
  shape.dilation_height = shape.dilation_width = dilation;
  shape.groups = groups;
  return shape;
}
const Case kCases[] = {
    {"one pixel", square(1, 1, 1, 1)},
    {"1 x 1: a linear layer for each pixel", square(5, 7, 6, 1)},
    {"a kernel as large as the image", square(2, 5, 3, 5)},
    {"3 x 3 that keeps the size", with(square(3, 8, 4, 3), 1, 1, 1, 1)},
    {"stride", with(square(3, 9, 4, 3), 2, 1, 1, 1)},
    {"a stride longer than the kernel", with(square(2, 11, 3, 2), 4, 0, 1, 1)},
    {"dilation", with(square(2, 11, 3, 3), 1, 2, 2, 1)},
    {"taps that see padding only", with(square(1, 2, 2, 3), 1, 3, 3, 1)},
    {"an image smaller than the kernel", with(square(2, 2, 2, 5), 1, 2, 1, 1)},
    {"outputs that see padding only", with(square(1, 3, 2, 2), 1, 4, 1, 1)},
    {"groups", with(square(6, 6, 4, 3), 1, 1, 1, 2)},
    {"depthwise", with(square(5, 7, 5, 3), 1, 1, 1, 5)},
    {"depthwise, two outputs a channel, stride", with(square(3, 8, 6, 3), 2, 1, 1, 3)},
    {"axes that differ", {3, 5, 13, 4, 2, 5, 1, 3, 0, 2, 2, 1, 1}},
    {"one row", {2, 1, 19, 3, 1, 4, 1, 2, 0, 3, 1, 2, 1}},
    {"one column", {2, 19, 1, 3, 4, 1, 2, 1, 3, 0, 2, 1, 1}},
};

oracle::Conv2d to_oracle(const Conv2dShape& s) {
  return {s.in_channels,     s.height,         s.width,        s.out_channels,   s.kernel_height,
          s.kernel_width,    s.stride_height,  s.stride_width, s.padding_height, s.padding_width,
          s.dilation_height, s.dilation_width, s.groups};
}

/// A convolution with its input, all at random but the shape.
struct Layer {
  std::int64_t images;
  Conv2dShape shape;
  WeightKind kind;
  AffineGrid x_grid;
  oracle::Weights weights;
  std::vector<std::int8_t> x_codes;
  std::vector<float> bias;  // empty: none

  Layer(Random& random, const Conv2dShape& shape, std::int64_t images) : images(images), shape(shape) {
    kind = kWeightKinds[random_int(random, 0, 5)];
    x_grid = kActivationGrids[random_int(random, 0, std::ssize(kActivationGrids) - 1)];
    weights = random_weights(random, kind, shape.out_channels, shape.depth());
    x_codes = random_codes(random, images * shape.in_channels * shape.height * shape.width, x_grid.qmin,
                           x_grid.qmax);
    if (random_int(random, 0, 2) != 0) bias = random_floats(random, shape.out_channels, 3.0f);
  }
  std::int64_t image_size() const { return shape.out_channels * shape.out_height() * shape.out_width(); }
  std::vector<float> expected() const {
    return oracle::conv2d(x_codes, images, to_oracle(shape), samebits::kernels::to_oracle(x_grid), weights,
                          bias);
  }
  void run(float* y, std::int64_t begin, std::int64_t end) const {
    const PreparedWeights prepared = prepare(weights, kind, WeightLayout::kRows);
    const LayerTerms terms = layer_terms(prepared, x_grid, bias.empty() ? nullptr : bias.data());
    const Unaligned<std::int8_t> codes(x_codes, 1);  // AddressSanitizer watches its end
    conv2d(prepared, terms, shape, x_grid, codes.data(), y, begin, end);
  }
};

void expect_oracle(const Layer& layer) {
  const std::vector<float> expected = layer.expected();
  ASSERT_EQ(std::ssize(expected), layer.images * layer.image_size());
  Guarded<float> y(std::ssize(expected), 1);
  layer.run(y.data(), 0, layer.images);
  EXPECT_EQ(first_difference(y.values(), expected), "");
  EXPECT_TRUE(y.guards_untouched());
}

TEST_F(Conv2dTest, MatchesTheOracleOnShapesThatDifferInKind) {
  Random random(1);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    for (int round = 0; round < 8; ++round) expect_oracle(Layer(random, c.shape, 2));
  }
}

Conv2dShape random_shape(Random& random) {
  const std::int64_t groups = random_int(random, 1, 3);
  Conv2dShape shape{groups * random_int(random, 1, 3), random_int(random, 1, 12), random_int(random, 1, 12),
                    groups * random_int(random, 1, 6), random_int(random, 1, 4),  random_int(random, 1, 4)};
  shape.groups = groups;
  shape.stride_height = random_int(random, 1, 5);
  shape.stride_width = random_int(random, 1, 5);
  shape.padding_height = random_int(random, 0, 5);
  shape.padding_width = random_int(random, 0, 5);
  shape.dilation_height = random_int(random, 1, 3);
  shape.dilation_width = random_int(random, 1, 3);
  return shape;
}

TEST_F(Conv2dTest, MatchesTheOracleOnRandomShapes) {
  Random random(2);
  for (int tried = 0; tried < 2000;) {
    const Conv2dShape shape = random_shape(random);
    const oracle::Conv2d counted = to_oracle(shape);
    if (counted.out_height() == 0 || counted.out_width() == 0)
      continue;  // the kernel is larger than the image
    ++tried;
    SCOPED_TRACE(testing::Message() << "number " << tried << ": in " << shape.in_channels << " x "
                                    << shape.height << " x " << shape.width << ", out " << shape.out_channels
                                    << ", kernel " << shape.kernel_height << " x " << shape.kernel_width);
    expect_oracle(Layer(random, shape, 1));
    if (HasFailure()) return;
  }
}

TEST_F(Conv2dTest, MatchesTheOracleBeyondOneChunkOfDepth) {
  Random random(3);
  expect_oracle(Layer(random, with(square(121, 5, 3, 3), 1, 1, 1, 1), 1));  // 1089 products a sum
}

TEST_F(Conv2dTest, AnySplitOfTheImagesInAnyOrderGivesTheSameBits) {
  Random random(4);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    const Layer layer(random, c.shape, 7);
    auto pieces = random_pieces(random, 7, 1);
    std::shuffle(pieces.begin(), pieces.end(), random);
    Guarded<float> y(7 * layer.image_size());
    for (const auto& [first, last] : pieces) layer.run(y.data(), first, last);
    EXPECT_EQ(first_difference(y.values(), layer.expected()), "");
  }
}

TEST_F(Conv2dTest, WritesOnlyTheImagesThatAreAskedFor) {
  Random random(5);
  const Layer layer(random, with(square(3, 8, 4, 3), 1, 1, 1, 1), 5);
  const std::int64_t size = layer.image_size();
  for (const auto& [begin, end] : {std::pair{0, 0}, {3, 3}, {1, 2}, {2, 5}}) {
    Guarded<float> y(5 * size);
    layer.run(y.data(), begin, end);
    EXPECT_TRUE(y.untouched_outside(begin * size, end * size)) << begin << " " << end;
  }
}

// Padding is the real 0, whose code is the zero point: next to an image of zeros it must not be seen.
TEST_F(Conv2dTest, AnImageOfZerosGivesTheBiasAtEveryPixel) {
  Random random(6);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    Layer layer(random, c.shape, 1);
    layer.x_codes.assign(layer.x_codes.size(), static_cast<std::int8_t>(layer.x_grid.zero_point));
    layer.bias = random_floats(random, c.shape.out_channels, 3.0f);
    std::vector<float> y(layer.image_size()), expected;
    layer.run(y.data(), 0, 1);
    for (const float bias : layer.bias)
      expected.insert(expected.end(), c.shape.out_height() * c.shape.out_width(), bias);
    EXPECT_EQ(first_difference(y, expected), "");
  }
}

// The same sums by two paths: columns are pixels in one and output features in the other.
TEST_F(Conv2dTest, A1x1ConvolutionGivesTheBitsOfALinearLayerOnEachPixel) {
  Random random(7);
  const std::int64_t channels = 37, pixels = 6 * 6;
  const Layer layer(random, square(channels, 6, 11, 1), 1);
  std::vector<std::int8_t> rows(pixels * channels);
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
    for (std::int64_t c = 0; c < channels; ++c)
      rows[pixel * channels + c] = layer.x_codes[c * pixels + pixel];
  const PreparedWeights prepared = prepare(layer.weights, layer.kind);
  const LayerTerms terms =
      layer_terms(prepared, layer.x_grid, layer.bias.empty() ? nullptr : layer.bias.data());
  std::vector<float> y(layer.image_size()), by_rows(pixels * 11), expected;
  linear(prepared, terms, rows.data(), by_rows.data(), {0, pixels, 0, 11});
  for (std::int64_t c = 0; c < 11; ++c)
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) expected.push_back(by_rows[pixel * 11 + c]);
  layer.run(y.data(), 0, 1);
  EXPECT_EQ(first_difference(y, expected), "");
}

TEST(Conv2dShapeTest, CountsOutputsAsOftenAsTheKernelFits) {
  Random random(8);
  for (int tried = 0; tried < 10'000;) {
    const Conv2dShape shape = random_shape(random);
    const oracle::Conv2d counted = to_oracle(shape);
    if (counted.out_height() == 0 || counted.out_width() == 0) continue;
    ++tried;
    ASSERT_EQ(shape.out_height(), counted.out_height());
    ASSERT_EQ(shape.out_width(), counted.out_width());
  }
}

TEST(Conv2dShapeTest, ItsDepthIsWhatOneOutputSums) {
  EXPECT_EQ((with(square(6, 9, 4, 3), 1, 0, 1, 2).depth()), 27);
  EXPECT_EQ((with(square(5, 9, 5, 2), 1, 0, 1, 5).depth()), 4);
}

}  // namespace
}  // namespace samebits::kernels
