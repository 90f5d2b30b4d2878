// kernels/conv/cuda/conv2d.cu on the emulator: y to the oracle's bits for every window, group and depth, the
// fragments of the tensor cores by their definition, and what the arrangements hold.
#include "kernels/conv/cuda/conv2d.cu"

#include "tests/cuda_kernels/conv/conv_cases.h"
#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/layers.h"

namespace samebits::kernels::cuda {
namespace {

/// A convolution, all at random but the shape.
struct ConvLayer {
  Conv2dShape shape;
  std::int64_t images;
  AffineGrid x_grid;
  oracle::Weights weights;
  std::vector<std::int8_t> x_codes, centered;
  std::vector<float> bias, channel_scale, scale;  // the first two may be empty: none
  std::vector<std::int32_t> correction;           // of the contract: zero point times the sum of codes

  ConvLayer(Random& random, const Conv2dShape& s, std::int64_t count) : shape(s), images(count) {
    x_grid = kActivationGrids[random_int(random, 0, std::ssize(kActivationGrids) - 1)];
    weights = random_weights(random, kWeightKinds[random_int(random, 0, 5)], s.out_channels, s.depth());
    x_codes = random_codes(random, images * s.in_channels * s.height * s.width, x_grid.qmin, x_grid.qmax);
    if (random_int(random, 0, 2) != 0) bias = random_floats(random, s.out_channels, 3.0f);
    if (random_int(random, 0, 2) == 0) channel_scale = random_channel_scales(random, s.out_channels);
    for (std::int64_t channel = 0; channel < s.out_channels; ++channel) {
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < s.depth(); ++k) {
        centered.push_back(static_cast<std::int8_t>(weights.centered(channel, k)));
        sum += centered.back();
      }
      correction.push_back(x_grid.zero_point * sum);
      scale.push_back(oracle::with_factor(
          oracle::multiply(x_grid.scale, weights.scale[weights.index(channel, 0)]), channel_scale, channel));
    }
  }
  std::int64_t outputs() const {
    return images * shape.out_channels * shape.out_height() * shape.out_width();
  }
  std::vector<float> expected() const {
    return oracle::conv2d(x_codes, images, to_oracle(shape), kernels::to_oracle(x_grid), weights, bias,
                          channel_scale);
  }
};

/// The device's copies of what every launch takes.
struct DeviceLayer {
  DeviceArray<std::int8_t> codes, weight;
  DeviceArray<std::int32_t> x_zero_point, correction;
  DeviceArray<float> scale, bias;
  ChannelTerms terms;

  explicit DeviceLayer(const ConvLayer& layer, std::size_t offset = 0)
      : codes("codes", layer.x_codes, offset),
        weight("weight", layer.centered, offset),
        x_zero_point("x_zero_point", {layer.x_grid.zero_point}),
        correction("correction", layer.correction, offset),
        scale("scale", layer.scale, offset),
        bias("bias", layer.bias.empty() ? std::vector<float>{0.0f} : layer.bias, offset),
        terms{correction.data(), scale.data(), layer.bias.empty() ? nullptr : bias.data()} {}
};

/// `y_offset`: elements between y and an aligned address.
void expect_conv2d(const ConvLayer& layer, std::size_t y_offset = 0) {
  DeviceLayer device(layer, y_offset);
  const std::int64_t pixel = arranged_pixel(layer.shape), depth = arranged_depth(layer.shape);
  auto x = DeviceArray<std::int8_t>::uninitialised(
      "x", layer.images * layer.shape.height * layer.shape.width * pixel);
  auto weight = DeviceArray<std::int8_t>::uninitialised("arranged", layer.shape.out_channels * depth);
  auto y = DeviceArray<float>::uninitialised("y", layer.outputs(), y_offset);
  ASSERT_EQ(launch_arrange_codes(device.codes.data(), layer.shape, layer.images, x.data(), kStream), nullptr);
  ASSERT_EQ(launch_arrange_weight(device.weight.data(), layer.shape, weight.data(), kStream), nullptr);
  ASSERT_EQ(launch_conv2d({x.data(), weight.data(), device.x_zero_point.data(), device.terms, y.data()},
                          layer.shape, layer.images, kStream),
            nullptr);
  EXPECT_EQ(first_difference(y, layer.expected()), "");
}

void expect_depthwise(const ConvLayer& layer, std::size_t offset = 0) {
  DeviceLayer device(layer, offset);
  auto y = DeviceArray<float>::uninitialised("y", layer.outputs(), offset);
  ASSERT_EQ(launch_conv2d_depthwise({device.codes.data(), device.weight.data(), device.x_zero_point.data(),
                                     device.terms, y.data()},
                                    layer.shape, layer.images, kStream),
            nullptr);
  EXPECT_EQ(first_difference(y, layer.expected()), "");
}

TEST(CudaConv2d, GivesTheBitsOfTheContractForEveryWindowGroupAndDepth) {
  Random random(1);
  for (const ConvCase& c : kConvCases) {
    SCOPED_TRACE(c.why);
    for (const std::int64_t images : {1, 3}) expect_conv2d(ConvLayer(random, c.shape, images));
  }
}

TEST(CudaConv2d, DoesNotDependOnTheOrderOfThreadsNorOnWhereYBegins) {
  Random random(2);
  const ConvLayer narrow(random, {3, 9, 11, 35, 3, 3, 1, 1, 1, 1}, 2),
      wide(random, {18, 5, 6, 70, 2, 3, 1, 1, 1, 1}, 2);
  for_each_seed(3, [&] {
    for (const std::size_t offset : {0, 1, 3}) {
      expect_conv2d(narrow, offset);
      expect_conv2d(wide, offset);
    }
  });
}

TEST(CudaConv2d, HoldsTheExtremeSumsExactly) {
  Random random(3);
  ConvLayer layer(random, {64, 4, 4, 8, 3, 3, 1, 1, 1, 1}, 1);
  layer.x_grid = {.scale = 0.5f, .zero_point = 127};
  layer.weights = {.n = 8, .k = layer.shape.depth(), .group_size = 0};
  layer.weights.codes.assign(8 * layer.shape.depth(), -128);
  layer.weights.scale = {0.25f};
  layer.x_codes.assign(layer.x_codes.size(), -128);
  layer.centered = layer.weights.codes;
  layer.correction.assign(8, 127 * -128 * static_cast<std::int32_t>(layer.shape.depth()));
  layer.scale.assign(8, 0.125f);
  layer.channel_scale.clear();
  expect_conv2d(layer);
}

TEST(CudaConv2d, MultipliesEachChannelByItsFactorWhateverItsSign) {
  Random random(7);
  for (const ConvCase& c : {kConvCases[12], kConvCases[16], kDepthwiseCases[0]}) {
    SCOPED_TRACE(c.why);
    ConvLayer layer(random, c.shape, 2);
    layer.channel_scale.clear();
    const std::vector<float> plain = layer.expected();
    for (std::int64_t channel = 0; channel < c.shape.out_channels; ++channel) {
      constexpr float kFactors[] = {-1.7f, 0.3f, 0.0f, -0.0f, 1e-30f};
      layer.channel_scale.push_back(kFactors[channel % 5]);
      layer.scale[channel] = oracle::multiply(
          oracle::multiply(layer.x_grid.scale, layer.weights.scale[layer.weights.index(channel, 0)]),
          layer.channel_scale[channel]);
    }
    EXPECT_NE(kernels::first_difference(layer.expected(), plain), "");
    expect_conv2d(layer);
    if (c.shape.in_channels == c.shape.groups) expect_depthwise(layer);
  }
}

TEST(CudaConv2d, GivesTheBitsOfTheCpusKernel) {
  Random random(4);
  const ConvLayer layer(random, {9, 10, 12, 20, 3, 3, 2, 1, 1, 2}, 2);
  const PackedWeight packed = pack(layer.weights, WeightOrder::kRows);
  std::vector<float> y(layer.outputs());
  const auto data = [](const std::vector<float>& v) { return v.empty() ? nullptr : v.data(); };
  kernels::conv2d(packed, layer_terms(packed, layer.x_grid, data(layer.bias), data(layer.channel_scale)),
                  layer.shape, layer.x_grid, layer.x_codes.data(), {.data = y.data()}, 0,
                  conv2d_work_items(layer.shape, layer.images));
  EXPECT_EQ(kernels::first_difference(y, layer.expected()), "");
  expect_conv2d(layer);
}

TEST(CudaConv2d, SumsOneChannelAnOutputForEveryWindow) {
  Random random(5);
  for (const ConvCase& c : kDepthwiseCases) {
    SCOPED_TRACE(c.why);
    for (const std::int64_t images : {1, 3})
      for (const std::size_t offset : {0, 1}) expect_depthwise(ConvLayer(random, c.shape, images), offset);
    expect_conv2d(ConvLayer(random, c.shape, 2));
  }
}

TEST(CudaConv2d, PutsTheChannelsOfAPlaceSideBySideWithZerosBehindThem) {
  const Conv2dShape shape{.in_channels = 6,
                          .height = 2,
                          .width = 3,
                          .out_channels = 2,
                          .kernel_height = 1,
                          .kernel_width = 2,
                          .groups = 2};
  ASSERT_EQ(arranged_pixel(shape), 8);
  ASSERT_EQ(arranged_depth(shape), 64);
  std::vector<std::int8_t> codes(2 * 6 * 6), expected(2 * 6 * 8), weight(2 * 6), expected_weight(2 * 64);
  for (std::int64_t i = 0; i < std::ssize(codes); ++i) codes[i] = static_cast<std::int8_t>(i - 40);
  for (std::int64_t i = 0; i < std::ssize(weight); ++i) weight[i] = static_cast<std::int8_t>(i + 1);
  for (int image = 0; image < 2; ++image)
    for (int pixel = 0; pixel < 6; ++pixel)
      for (int channel = 0; channel < 6; ++channel)
        expected[(image * 6 + pixel) * 8 + channel / 3 * 4 + channel % 3] =
            codes[(image * 6 + channel) * 6 + pixel];
  for (int row = 0; row < 2; ++row)
    for (int channel = 0; channel < 3; ++channel)
      for (int tap = 0; tap < 2; ++tap)
        expected_weight[row * 64 + tap * 4 + channel] = weight[row * 6 + channel * 2 + tap];
  DeviceArray<std::int8_t> device_codes("codes", codes, 1), device_weight("weight", weight, 3);
  auto x = DeviceArray<std::int8_t>::uninitialised("x", expected.size());
  auto arranged = DeviceArray<std::int8_t>::uninitialised("arranged", expected_weight.size());
  for_each_seed(2, [&] {
    ASSERT_EQ(launch_arrange_codes(device_codes.data(), shape, 2, x.data(), kStream), nullptr);
    ASSERT_EQ(launch_arrange_weight(device_weight.data(), shape, arranged.data(), kStream), nullptr);
  });
  EXPECT_EQ(first_difference(x, expected), "");
  EXPECT_EQ(first_difference(arranged, expected_weight), "");
}

TEST(CudaConv2d, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  const Conv2dShape shape{1, 1, 1, 1, 1, 1}, none{1, 1, 1, 0, 1, 1};
  EXPECT_EQ(launch_conv2d({}, shape, 0, kStream), nullptr);
  EXPECT_EQ(launch_conv2d({}, none, 1, kStream), nullptr);
  EXPECT_EQ(launch_conv2d_depthwise({}, shape, 0, kStream), nullptr);
  EXPECT_EQ(launch_arrange_codes(nullptr, shape, 0, nullptr, kStream), nullptr);
  EXPECT_EQ(launch_arrange_weight(nullptr, none, nullptr, kStream), nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  for (const std::int64_t channels : {1, 40, 80})
    for (const std::int64_t depth : {1, 16}) {
      cuda_emulator::refuse_next_launch();
      EXPECT_STREQ(launch_conv2d({}, {depth, 1, 1, channels, 1, 1}, 1, kStream), kRefused);
    }
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_conv2d_depthwise({}, shape, 1, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_arrange_codes(nullptr, shape, 1, nullptr, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_arrange_weight(nullptr, shape, nullptr, kStream), kRefused);
}

/// One product of words a[16][8] and b[8][8], four codes each, on top of sums[16][8]; on a card by its tensor
/// cores, or by shuffles. Launch one warp.
template <bool kByShuffles>
__global__ void multiply_once(const unsigned* a, const unsigned* b, std::int32_t* sums) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  const FragmentA of_a{{a[g * 8 + t], a[(g + 8) * 8 + t], a[g * 8 + t + 4], a[(g + 8) * 8 + t + 4]}};
  const FragmentB of_b{{b[g * 8 + t], b[g * 8 + t + 4]}};
  FragmentSums result;
  for (int i = 0; i < 4; ++i) result.sum[i] = sums[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  if constexpr (kByShuffles)
    multiply_by_shuffles(of_a, of_b, result);
  else
    multiply_fragments(of_a, of_b, result);
  for (int i = 0; i < 4; ++i) sums[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = result.sum[i];
}

TEST(CudaMmaInt8, MultipliesFragmentsByTheirDefinition) {
  Random random(6);
  for (int round = 0; round < 4; ++round) {
    const std::vector<std::int8_t> a = random_codes(random, 16 * 32), b = random_codes(random, 8 * 32);
    std::vector<unsigned> a_words(16 * 8), b_words(8 * 8);
    std::memcpy(a_words.data(), a.data(), a.size()), std::memcpy(b_words.data(), b.data(), b.size());
    std::vector<std::int32_t> start(16 * 8), expected;
    for (std::int32_t& sum : start) sum = static_cast<std::int32_t>(random_int(random, -1000, 1000));
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 8; ++j) {
        std::int32_t sum = start[i * 8 + j];
        for (int k = 0; k < 32; ++k) sum += a[i * 32 + k] * b[j * 32 + k];
        expected.push_back(sum);
      }
    DeviceArray<unsigned> device_a("a", a_words), device_b("b", b_words);
    DeviceArray<std::int32_t> sums("sums", start), by_shuffles("by_shuffles", start);
    emulate(1, 32, multiply_once<false>, device_a.data(), device_b.data(), sums.data());
    emulate(1, 32, multiply_once<true>, device_a.data(), device_b.data(), by_shuffles.data());
    EXPECT_EQ(first_difference(sums, expected), "");
    EXPECT_EQ(first_difference(by_shuffles, expected), "");
  }
}

}  // namespace
}  // namespace samebits::kernels::cuda
