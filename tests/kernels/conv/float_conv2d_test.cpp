// kernels/conv/float_conv2d.h against the oracle, and any split of the work.
#include "kernels/conv/float_conv2d.h"

#include "tests/float_oracle.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class FloatConv2d : public KernelTest {};

const struct {
  const char* why;
  Conv2dShape shape;
} kCases[] = {
    {"one pixel", {1, 1, 1, 1, 1, 1}},
    {"1 x 1", {5, 7, 6, 6, 1, 1}},
    {"no padding", {3, 8, 9, 4, 3, 3}},
    {"padding keeps the size", {2, 9, 10, 5, 3, 3, 1, 1, 1, 1}},
    {"stride, and a padding wider than the kernel", {2, 7, 6, 3, 2, 3, 2, 3, 3, 4}},
    {"dilation", {2, 9, 8, 3, 3, 2, 1, 1, 0, 2, 2, 3}},
    {"groups", {6, 5, 4, 4, 2, 2, 1, 1, 1, 0, 1, 1, 2}},
    {"a channel each", {7, 6, 6, 7, 3, 3, 2, 2, 1, 1, 1, 1, 7}},
    {"many items", {3, 19, 23, 9, 3, 3, 1, 1, 1, 1}},
    {"deeper than a block of the product", {70, 4, 5, 3, 3, 3, 1, 1, 1, 1}},
};

oracle::Conv2d to_oracle(const Conv2dShape& s) {
  return {s.in_channels,     s.height,         s.width,        s.out_channels,   s.kernel_height,
          s.kernel_width,    s.stride_height,  s.stride_width, s.padding_height, s.padding_width,
          s.dilation_height, s.dilation_width, s.groups};
}

TEST_F(FloatConv2d, GivesTheBitsOfTheContractWhateverTheSplit) {
  Random random(1);
  constexpr std::int64_t kImages = 3;
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.why);
    const std::int64_t image = c.shape.in_channels * c.shape.height * c.shape.width;
    std::vector<float> x = random_floats(random, kImages * image, 2.0f);
    if (image > 4) x[3] = std::numeric_limits<float>::infinity(), x[image + 1] = std::nanf("");
    const std::vector<float> weight = random_floats(random, c.shape.out_channels * c.shape.depth(), 1.0f);
    for (const auto& [has_bias, has_scale] :
         {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
      const std::vector<float> bias = random_floats(random, has_bias ? c.shape.out_channels : 0, 1.0f);
      const std::vector<float> scale = random_floats(random, has_scale ? c.shape.out_channels : 0, 2.0f);
      Guarded<float> y(kImages * c.shape.out_channels * c.shape.out_height() * c.shape.out_width(), 1);
      const FloatConv2dArgs args{x.data(), weight.data(), has_bias ? bias.data() : nullptr, y.data(),
                                 has_scale ? scale.data() : nullptr};
      auto pieces = random_pieces(random, float_conv2d_work_items(c.shape, kImages), 1);
      std::shuffle(pieces.begin(), pieces.end(), random);
      for (const auto& [begin, end] : pieces) float_conv2d(args, c.shape, begin, end);
      EXPECT_EQ(
          first_difference(y.values(), oracle::float_conv2d(to_oracle(c.shape), x, weight, bias, scale)), "");
      EXPECT_TRUE(y.guards_untouched());
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
