// kernels/conv/conv2d.h against the oracle: strides, padding, dilation, groups, every kind of output, and any
// split of the work.
#include "kernels/conv/conv2d.h"

#include <limits>

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
    {"groups, 1 x 1", with(square(6, 9, 4, 1), 1, 0, 1, 2)},
    {"1 x 1 with a stride", with(square(5, 9, 3, 1), 2, 0, 1, 1)},
    {"rows wider and more than the image's", with(square(2, 20, 2, 2), 1, 5, 1, 1)},
    {"more rows than the image's, as wide", {2, 3, 40, 2, 2, 3, 1, 1, 6, 1, 1, 1, 1}},
    {"many pixels, several to a work item", with(square(3, 17, 5, 3), 1, 1, 1, 1)},
    {"depthwise", with(square(5, 7, 5, 3), 1, 1, 1, 5)},
    {"depthwise, two outputs a channel, stride", with(square(3, 8, 6, 3), 2, 1, 1, 3)},
    {"depthwise, five outputs a channel", with(square(3, 8, 15, 3), 1, 1, 1, 3)},
    {"an output sees one channel, but too many share it to be depthwise",
     with(square(3, 8, 27, 3), 1, 1, 1, 3)},
    {"depthwise, stride 3", with(square(3, 17, 3, 5), 3, 2, 1, 3)},
    {"depthwise, dilation", with(square(3, 17, 3, 3), 1, 2, 2, 3)},
    {"depthwise, stride and dilation", with(square(3, 17, 3, 3), 4, 3, 2, 3)},
    {"depthwise, rows of many vectors", {2, 9, 83, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2}},
    {"depthwise, rows of many vectors, stride", {2, 9, 83, 2, 3, 4, 2, 2, 1, 1, 1, 1, 2}},
    {"depthwise, one row", {3, 1, 70, 3, 1, 4, 1, 1, 0, 3, 1, 1, 3}},
    {"axes that differ", {3, 5, 13, 4, 2, 5, 1, 3, 0, 2, 2, 1, 1}},
    {"one row: a 1-D convolution", {2, 1, 19, 3, 1, 4, 1, 2, 0, 3, 1, 2, 1}},
    {"one row that keeps its size", {3, 1, 150, 5, 1, 5, 1, 1, 0, 4, 1, 2, 1}},
    {"a long row with a stride", {3, 1, 301, 2, 1, 3, 1, 2, 0, 1, 1, 1, 1}},
    {"one column", {2, 19, 1, 3, 4, 1, 2, 1, 3, 0, 2, 1, 1}},
};

oracle::Conv2d to_oracle(const Conv2dShape& s) {
  return {s.in_channels,     s.height,         s.width,        s.out_channels,   s.kernel_height,
          s.kernel_width,    s.stride_height,  s.stride_width, s.padding_height, s.padding_width,
          s.dilation_height, s.dilation_width, s.groups};
}

/// What a call may write.
struct OutputKind {
  const char* why;
  GemmOutput type;
  bool relu;
};
const OutputKind kOutputKinds[] = {
    {"float", GemmOutput::kFloat, false},
    {"float, relu", GemmOutput::kFloat, true},
    {"codes", GemmOutput::kCodes, false},
    {"codes, relu", GemmOutput::kCodes, true},
};

/// What a call wrote, or should have.
struct Outputs {
  std::vector<float> y;
  std::vector<std::int8_t> codes;
};

/// A convolution with its input, all at random but the shape.
struct Layer {
  std::int64_t images;
  Conv2dShape shape;
  WeightKind kind;
  AffineGrid x_grid, y_grid;
  oracle::Weights weights;
  std::vector<std::int8_t> x_codes;
  std::vector<float> bias, channel_scale;  // empty: none

  Layer(Random& random, const Conv2dShape& shape, std::int64_t images) : images(images), shape(shape) {
    kind = kWeightKinds[random_int(random, 0, 5)];
    x_grid = kActivationGrids[random_int(random, 0, std::ssize(kActivationGrids) - 1)];
    y_grid = kActivationGrids[random_int(random, 0, std::ssize(kActivationGrids) - 1)];
    weights = random_weights(random, kind, shape.out_channels, shape.depth());
    x_codes = random_codes(random, images * shape.in_channels * shape.height * shape.width, x_grid.qmin,
                           x_grid.qmax);
    if (random_int(random, 0, 2) != 0) bias = random_floats(random, shape.out_channels, 3.0f);
    if (random_int(random, 0, 1) != 0) channel_scale = random_channel_scales(random, shape.out_channels);
  }
  std::int64_t pixels() const { return shape.out_height() * shape.out_width(); }
  std::int64_t planes() const { return images * shape.out_channels; }
  std::int64_t size() const { return planes() * pixels(); }
  std::int64_t items() const { return conv2d_work_items(shape, images); }

  std::vector<float> expected() const {
    return oracle::conv2d(x_codes, images, to_oracle(shape), samebits::kernels::to_oracle(x_grid), weights,
                          bias, channel_scale);
  }
  Outputs expected(const OutputKind& output) const {
    Outputs outputs{.y = expected(), .codes = {}};
    for (float& y : outputs.y) {
      if (output.relu && y < 0.0f) y = 0.0f;
      outputs.codes.push_back(
          static_cast<std::int8_t>(oracle::code(y, samebits::kernels::to_oracle(y_grid))));
    }
    return outputs;
  }
  /// Work items [begin, end), into `data`.
  void run(const OutputKind& output, void* data, std::int64_t begin, std::int64_t end) const {
    const PackedWeight packed = pack(weights, WeightOrder::kRows);
    const LayerTerms terms = layer_terms(packed, x_grid, bias.empty() ? nullptr : bias.data(),
                                         channel_scale.empty() ? nullptr : channel_scale.data());
    const Unaligned<std::int8_t> codes(x_codes, 1);  // AddressSanitizer watches its ends
    const bool saw_nan = conv2d(packed, terms, shape, x_grid, codes.data(),
                                {output.type, data, output.relu, y_grid}, begin, end);
    EXPECT_FALSE(saw_nan);
  }
  void run(float* y, std::int64_t begin, std::int64_t end) const { run(kOutputKinds[0], y, begin, end); }
};

/// Runs the pieces one by one and compares all that was written, and that nothing else was.
void expect_oracle(const Layer& layer, const OutputKind& output,
                   const std::vector<std::pair<std::int64_t, std::int64_t>>& pieces) {
  SCOPED_TRACE(output.why);
  const Outputs expected = layer.expected(output);
  Guarded<float> y(layer.size(), 1);
  Guarded<std::int8_t> codes(layer.size(), 1);
  const bool wants_codes = output.type == GemmOutput::kCodes;
  for (const auto& [begin, end] : pieces)
    layer.run(output, wants_codes ? static_cast<void*>(codes.data()) : y.data(), begin, end);
  if (wants_codes) {
    ASSERT_EQ(first_difference(codes.values(), expected.codes), "");
  } else {
    ASSERT_EQ(first_difference(y.values(), expected.y), "");
  }
  ASSERT_TRUE(codes.guards_untouched() && y.guards_untouched());
}
void expect_oracle(const Layer& layer) {
  ASSERT_EQ(std::ssize(layer.expected()), layer.size());
  expect_oracle(layer, kOutputKinds[0], {{0, layer.items()}});
}

TEST_F(Conv2dTest, MatchesTheOracleOnShapesThatDifferInKind) {
  Random random(1);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    for (int round = 0; round < 8; ++round) expect_oracle(Layer(random, c.shape, 4));
  }
}

TEST_F(Conv2dTest, WritesEveryKindOfOutputOfTheUnfusedChain) {
  Random random(9);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    for (const OutputKind& output : kOutputKinds) {
      const Layer layer(random, c.shape, 3);
      expect_oracle(layer, output, {{0, layer.items()}});
    }
  }
}

// The quotient of a requantized code is a true one: these outputs are ties of the grid, or next to one.
TEST_F(Conv2dTest, RoundsTheCodesOfTiesToEven) {
  Random random(10);
  for (const std::int64_t groups : {1, 4}) {
    Layer layer(random, with(square(4, 9, 4, 1), 1, 0, 1, groups), 2);
    layer.kind = kWeightKinds[0];
    layer.weights = random_weights(random, layer.kind, 4, layer.shape.depth());
    layer.weights.scale.assign(4, 0.1f);
    layer.x_grid = {.scale = 0.25f};
    layer.y_grid = {.scale = 0.05f, .zero_point = 1};
    layer.bias.clear();
    expect_oracle(layer, kOutputKinds[2], {{0, layer.items()}});
  }
}

Conv2dShape random_shape(Random& random) {
  const bool is_depthwise = random_int(random, 0, 3) == 0;
  const std::int64_t groups = random_int(random, 1, is_depthwise ? 5 : 3);
  Conv2dShape shape{groups * (is_depthwise ? 1 : random_int(random, 1, 3)),
                    random_int(random, 1, 14),
                    random_int(random, 1, 40),
                    groups * random_int(random, 1, 9),
                    random_int(random, 1, 5),
                    random_int(random, 1, 5)};
  shape.groups = groups;
  shape.stride_height = random_int(random, 1, 3);
  shape.stride_width = random_int(random, 1, 3);
  shape.padding_height = random_int(random, 0, 3);
  shape.padding_width = random_int(random, 0, 3);
  shape.dilation_height = random_int(random, 1, 3);
  shape.dilation_width = random_int(random, 1, 3);
  return shape;
}

std::string described(const Conv2dShape& s) {
  return testing::PrintToString(std::vector{s.in_channels, s.height, s.width, s.out_channels, s.kernel_height,
                                            s.kernel_width, s.stride_height, s.stride_width, s.padding_height,
                                            s.padding_width, s.dilation_height, s.dilation_width, s.groups});
}

TEST_F(Conv2dTest, MatchesTheOracleOnRandomShapesOutputsAndSplits) {
  Random random(2);
  for (int tried = 0; tried < 1500;) {
    const Conv2dShape shape = random_shape(random);
    const oracle::Conv2d counted = to_oracle(shape);
    if (counted.out_height() == 0 || counted.out_width() == 0)
      continue;  // the kernel is larger than the image
    ++tried;
    SCOPED_TRACE(testing::Message() << "number " << tried << ": " << described(shape));
    const Layer layer(random, shape, random_int(random, 1, 4));
    auto pieces = random_pieces(random, layer.items(), 1);
    std::shuffle(pieces.begin(), pieces.end(), random);
    expect_oracle(layer, kOutputKinds[random_int(random, 0, std::ssize(kOutputKinds) - 1)], pieces);
    if (HasFailure()) return;
  }
}

TEST_F(Conv2dTest, MatchesTheOracleWhereAnImageIsPackedInSeveralBlocks) {
  Random random(3);
  for (const Conv2dShape& shape :
       {with(square(121, 25, 3, 3), 1, 1, 1, 1),  // 1089 products a sum
        with(square(121, 50, 2, 3), 2, 1, 1, 1), with(square(1, 101, 2, 3), 1, 1, 1, 1),
        with(square(2, 101, 2, 3), 1, 1, 1, 2), with(square(2, 101, 16, 2), 1, 0, 1, 2),
        with(square(1, 101, 1, 3), 1, 1, 1, 1), Conv2dShape{3, 1, 12'000, 2, 1, 5}}) {
    SCOPED_TRACE(described(shape));
    for (const OutputKind& output : {kOutputKinds[1], kOutputKinds[3]}) {
      const Layer layer(random, shape, 1);
      expect_oracle(layer, output, {{0, layer.items()}});
      expect_oracle(layer, output, {{layer.items() / 3, layer.items()}, {0, layer.items() / 3}});
    }
  }
}

TEST_F(Conv2dTest, AnySplitOfTheWorkInAnyOrderGivesTheSameBits) {
  Random random(4);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    const Layer layer(random, c.shape, 7);
    auto pieces = random_pieces(random, layer.items(), 1);
    std::shuffle(pieces.begin(), pieces.end(), random);
    expect_oracle(layer, kOutputKinds[1], pieces);
  }
}

TEST_F(Conv2dTest, WritesOnlyTheItemsThatAreAskedFor) {
  Random random(5);
  const Layer layer(random, with(square(3, 8, 4, 3), 1, 1, 1, 1), 5);  // an item an image
  ASSERT_EQ(layer.items(), 5);
  const std::int64_t size = layer.size() / 5;
  for (const auto& [begin, end] : {std::pair{0, 0}, {3, 3}, {1, 2}, {2, 5}}) {
    Guarded<float> y(5 * size);
    layer.run(y.data(), begin, end);
    EXPECT_TRUE(y.untouched_outside(begin * size, end * size)) << begin << " " << end;
  }
}

TEST_F(Conv2dTest, ReportsANaNWhoseCodeIsTheZeroPoint) {
  Random random(11);
  for (const std::int64_t groups : {1, 3}) {
    Layer layer(random, with(square(3, 8, 3, 3), 1, 1, 1, groups), 1);
    layer.bias = {1.0f, std::numeric_limits<float>::quiet_NaN(), 2.0f};
    layer.channel_scale.clear();
    layer.y_grid = {.scale = 0.5f, .zero_point = 7};
    const PackedWeight packed = pack(layer.weights, WeightOrder::kRows);
    const LayerTerms terms = layer_terms(packed, layer.x_grid, layer.bias.data());
    std::vector<std::int8_t> codes(layer.size());
    const Conv2dOutput output{.type = GemmOutput::kCodes, .data = codes.data(), .grid = layer.y_grid};
    EXPECT_TRUE(
        conv2d(packed, terms, layer.shape, layer.x_grid, layer.x_codes.data(), output, 0, layer.items()));
    EXPECT_EQ(first_difference(codes, layer.expected(kOutputKinds[2]).codes), "") << groups;
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
    std::vector<float> y(layer.size()), expected;
    layer.run(y.data(), 0, layer.items());
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
  const PackedWeight packed = pack(layer.weights);
  const LayerTerms terms = layer_terms(packed, layer.x_grid, layer.bias.empty() ? nullptr : layer.bias.data(),
                                       layer.channel_scale.empty() ? nullptr : layer.channel_scale.data());
  std::vector<float> y(layer.size()), by_rows(pixels * 11), expected;
  linear(packed, terms, rows.data(), by_rows.data(), {0, pixels, 0, 11});
  for (std::int64_t c = 0; c < 11; ++c)
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) expected.push_back(by_rows[pixel * 11 + c]);
  layer.run(y.data(), 0, layer.items());
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

TEST(Conv2dWorkItems, AreBlocksOf64PixelsOrPlanes) {
  EXPECT_EQ(conv2d_work_items(square(3, 8, 4, 1), 5), 5);
  EXPECT_EQ(conv2d_work_items(square(3, 9, 4, 1), 5), 10);                    // 81 pixels
  EXPECT_EQ(conv2d_work_items(with(square(3, 9, 6, 1), 1, 0, 1, 3), 5), 30);  // depthwise
  EXPECT_EQ(conv2d_work_items(square(3, 9, 6, 1), 0), 0);
}

}  // namespace
}  // namespace samebits::kernels
