// training/data/image_set.h: what a batch holds, and that order and augmentation depend on seed, epoch and
// step alone.
#include "training/data/image_set.h"

#include <cmath>
#include <set>

#include "tests/training/output_folder.h"
#include "tests/training/training_test.h"

namespace samebits::training {
namespace {

using torch::Tensor;

std::string big_endian(std::initializer_list<std::uint32_t> values) {
  std::string bytes;
  for (const std::uint32_t value : values)
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

/// Writes images and labels of 3 x 4 pixels, plain.
class ImageSetTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& prefix, const std::vector<std::uint8_t>& pixels,
             const std::vector<std::uint8_t>& labels, std::uint32_t rows = 3) {
    const auto images = static_cast<std::uint32_t>(pixels.size()) / (4 * rows);
    std::ofstream(root_ / (prefix + "-images-idx3-ubyte"), std::ios::binary)
        << big_endian({0x803, images, rows, 4}) << std::string(pixels.begin(), pixels.end());
    std::ofstream(root_ / (prefix + "-labels-idx1-ubyte"), std::ios::binary)
        << big_endian({0x801, static_cast<std::uint32_t>(labels.size())})
        << std::string(labels.begin(), labels.end());
  }

  std::filesystem::path root_ = output_folder("dataset");
};

std::vector<std::uint8_t> ramp(std::size_t count, std::uint8_t first = 0) {
  std::vector<std::uint8_t> pixels(count);
  for (std::size_t i = 0; i < count; ++i) pixels[i] = static_cast<std::uint8_t>(first + 7 * i);
  return pixels;
}

TEST_F(ImageSetTest, NormalizesWhatABatchHolds) {
  const auto pixels = ramp(5 * 12);
  write("train", pixels, {3, 1, 4, 1, 9});
  ImageSet data(root_, "train", 0);
  EXPECT_EQ(data.size(), 5);
  EXPECT_EQ(data.height(), 3);
  EXPECT_EQ(data.width(), 4);
  data.normalize_by({0.25f, 0.5f});
  const Batch batch = data.batch(torch::tensor({4, 0}, torch::kLong));
  EXPECT_EQ(batch.x.sizes().vec(), (std::vector<std::int64_t>{2, 1, 3, 4}));
  EXPECT_TRUE(torch::equal(batch.target, torch::tensor({9, 3}, torch::kLong)));
  for (std::int64_t i = 0; i < 12; ++i) {
    const float expected =
        (static_cast<float>(pixels[static_cast<std::size_t>(48 + i)]) / 255.0f - 0.25f) / 0.5f;
    EXPECT_EQ(batch.x[0].flatten()[i].item<float>(), expected);
  }
  EXPECT_EQ(data.background(), -0.5f);
}

TEST_F(ImageSetTest, MeasuresMeanAndDeviationOfThePixels) {
  const auto pixels = ramp(5 * 12);
  write("train", pixels, {0, 0, 0, 0, 0});
  double mean = 0, variance = 0;
  for (const std::uint8_t each : pixels) mean += each / 255.0 / 60;
  for (const std::uint8_t each : pixels) variance += (each / 255.0 - mean) * (each / 255.0 - mean) / 60;
  const Normalization measured = ImageSet(root_, "train", 0).measured_normalization();
  EXPECT_NEAR(measured.mean, mean, 1e-7);
  EXPECT_NEAR(measured.deviation, std::sqrt(variance), 1e-7);
}

TEST_F(ImageSetTest, DividesEqualPixelsByOne) {
  write("train", std::vector<std::uint8_t>(12, 51), {0});
  const Normalization measured = ImageSet(root_, "train", 0).measured_normalization();
  EXPECT_EQ(measured.mean, 0.2f);
  EXPECT_EQ(measured.deviation, 1.0f);
}

TEST_F(ImageSetTest, NormalizesTheTestSetByTheTrainingSet) {
  write("train", ramp(24), {0, 1});
  write("t10k", ramp(24, 100), {2, 3});
  const TrainAndTest sets = load_images({.root = root_});
  const Normalization n = sets.train.measured_normalization();
  const float expected = (static_cast<float>(100) / 255.0f - n.mean) / n.deviation;
  EXPECT_EQ(sets.test.range(0, 1).x.flatten()[0].item<float>(), expected);
}

TEST_F(ImageSetTest, KeepsTheFirstImages) {
  write("train", ramp(5 * 12), {3, 1, 4, 1, 9});
  const ImageSet two(root_, "train", 2), all(root_, "train", 9);
  EXPECT_EQ(two.size(), 2);
  EXPECT_EQ(all.size(), 5);
  EXPECT_TRUE(same_bits(two.range(0, 9).x, all.range(0, 2).x));
  EXPECT_TRUE(torch::equal(two.range(0, 2).target, torch::tensor({3, 1}, torch::kLong)));
  EXPECT_EQ(all.range(4, 9).target.numel(), 1);  // the last batch is short
}

TEST_F(ImageSetTest, NamesFilesThatDoNotBelongTogether) {
  write("train", ramp(24), {0, 1, 2});
  EXPECT_EQ(error_of([&] { ImageSet(root_, "train", 0); }),
            "[data] " + (root_ / "train-labels-idx1-ubyte").string() +
                ": expected 2 labels, one an image, got 3; the two files belong to different sets");
  write("train", ramp(24), {0, 10});
  EXPECT_EQ(error_of([&] { ImageSet(root_, "train", 0); }),
            "[data] " + (root_ / "train-labels-idx1-ubyte").string() +
                ": expected labels in 0..9, got 10 at image 1");
  write("train", ramp(24), {0, 1});
  write("t10k", ramp(24), {0}, 6);
  EXPECT_EQ(error_of([&] { load_images({.root = root_}); }),
            "[data] " + root_.string() +
                ": expected test images of 3 x 4 pixels like the training images, got 6 x 4");
}

TEST(EpochOrder, IsAPermutation) {
  for (const std::int64_t n : {1, 2, 1000}) {
    const Tensor order = epoch_order(n, 7, 0);
    EXPECT_TRUE(torch::equal(std::get<0>(order.sort()), torch::arange(n, torch::kLong)));
  }
}

TEST(EpochOrder, DependsOnSeedAndEpochAlone) {
  const Tensor first = epoch_order(1000, 7, 3);
  torch::manual_seed(99);
  torch::randn({5});
  EXPECT_TRUE(torch::equal(epoch_order(1000, 7, 3), first));
  EXPECT_FALSE(torch::equal(epoch_order(1000, 8, 3), first));
  EXPECT_FALSE(torch::equal(epoch_order(1000, 7, 4), first));
  EXPECT_FALSE(torch::equal(epoch_order(1000, 3, 7), first));
}

const AugmentConfig kAugments[] = {{.flip = true}, {.crop_padding = 2}, {.flip = true, .crop_padding = 1}};

TEST(Augmented, DependsOnSeedEpochAndStepAlone) {
  const Tensor images = torch::randn({64, 1, 5, 6});
  for (const AugmentConfig& config : kAugments) {
    const Tensor first = augmented(images, config, 0.5f, {1, 2, 3});
    torch::manual_seed(99);
    EXPECT_TRUE(same_bits(augmented(images, config, 0.5f, {1, 2, 3}), first));
    EXPECT_FALSE(same_bits(augmented(images, config, 0.5f, {2, 2, 3}), first));
    EXPECT_FALSE(same_bits(augmented(images, config, 0.5f, {1, 3, 3}), first));
    EXPECT_FALSE(same_bits(augmented(images, config, 0.5f, {1, 2, 4}), first));
  }
}

TEST(Augmented, LeavesImagesAloneWhenNothingIsAsked) {
  const Tensor images = torch::randn({4, 1, 5, 6});
  EXPECT_TRUE(same_bits(augmented(images, {}, 0.5f, {1, 2, 3}), images));
}

TEST(Augmented, FlipsAboutHalfOfTheImages) {
  const Tensor images = torch::randn({200, 1, 5, 6});
  const Tensor result = augmented(images, {.flip = true}, 0.5f, {1, 2, 3});
  int flipped = 0;
  for (std::int64_t i = 0; i < 200; ++i) {
    const bool is_flipped = same_bits(result[i], images[i].flip(2));
    EXPECT_TRUE(is_flipped || same_bits(result[i], images[i])) << i;
    flipped += is_flipped;
  }
  EXPECT_GT(flipped, 60);
  EXPECT_LT(flipped, 140);
}

/// The shift (down, right) of an image by up to 2 pixels on `background` that gives `result`.
std::pair<int, int> shift_of(const Tensor& image, const Tensor& result, float background) {
  const std::int64_t height = image.size(1), width = image.size(2);
  for (int down = -2; down <= 2; ++down)
    for (int right = -2; right <= 2; ++right) {
      Tensor shifted = torch::full_like(image, background);
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x)
          if (y - down >= 0 && y - down < height && x - right >= 0 && x - right < width)
            shifted[0][y][x] = image[0][y - down][x - right];
      if (same_bits(shifted, result)) return {down, right};
    }
  ADD_FAILURE() << "no shift of the image";
  return {99, 99};
}

TEST(Augmented, CropsOutOfAMarginOfBackground) {
  const Tensor images = torch::randn({150, 1, 3, 4});
  const Tensor result = augmented(images, {.crop_padding = 2}, -0.5f, {1, 2, 3});
  EXPECT_EQ(result.sizes(), images.sizes());
  std::set<std::pair<int, int>> shifts;
  for (std::int64_t i = 0; i < 150; ++i) shifts.insert(shift_of(images[i], result[i], -0.5f));
  EXPECT_GT(shifts.size(), 20u);  // of 25
}

}  // namespace
}  // namespace samebits::training
