// training/data: what a batch holds, and that order and augmentation depend on seed, epoch and step alone.
#include "training/data/data_set.h"

#include <cmath>
#include <set>

#include "tests/training/data_files.h"
#include "tests/training/training_test.h"
#include "training/data/augment.h"
#include "training/data/tensor_set.h"
#include "training/data/text_set.h"
#include "training/readers/idx.h"

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
class IdxData : public testing::Test {
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

TEST_F(IdxData, NormalizesWhatABatchHolds) {
  const auto pixels = ramp(5 * 12);
  write("train", pixels, {3, 1, 4, 1, 9});
  TensorSet data(read_idx_folder(root_, "train", 10));
  EXPECT_EQ(data.size(), 5);
  data.normalize_by({torch::full({1, 1, 1}, 0.25f), torch::full({1, 1, 1}, 0.5f)});
  const Batch batch = data.batch(torch::tensor({4, 0}, torch::kLong));
  EXPECT_EQ(batch.x.sizes().vec(), (std::vector<std::int64_t>{2, 1, 3, 4}));
  EXPECT_TRUE(torch::equal(batch.target, torch::tensor({9, 3}, torch::kLong)));
  for (std::int64_t i = 0; i < 12; ++i) {
    const float expected =
        (static_cast<float>(pixels[static_cast<std::size_t>(48 + i)]) / 255.0f - 0.25f) / 0.5f;
    EXPECT_EQ(batch.x[0].flatten()[i].item<float>(), expected);
  }
  EXPECT_EQ(data.background().item<float>(), -0.5f);
}

TEST_F(IdxData, NormalizesTheTestSetByTheTrainingSet) {
  write("train", ramp(24), {0, 1});
  write("t10k", ramp(24, 100), {2, 3});
  const Normalization n = TensorSet(read_idx_folder(root_, "train", 10)).measured_normalization();
  const DataSet data = load_data({.path = root_}, TargetKind::kAny);
  const float expected =
      (static_cast<float>(100) / 255.0f - n.mean.item<float>()) / n.deviation.item<float>();
  EXPECT_EQ(data.test->range(0, 1).x.flatten()[0].item<float>(), expected);
  EXPECT_EQ(data.input, (std::vector<std::int64_t>{1, 3, 4}));
  EXPECT_EQ(data.outputs, 10);
  EXPECT_EQ(data.validation, nullptr);
}

TEST_F(IdxData, KeepsTheFirstImages) {
  write("train", ramp(5 * 12), {3, 1, 4, 1, 9});
  write("t10k", ramp(24), {2, 3});
  const DataSet two = load_data({.path = root_, .train_limit = 2, .test_limit = 1}, TargetKind::kAny);
  EXPECT_EQ(two.train->size(), 2);
  EXPECT_EQ(two.test->size(), 1);
  EXPECT_TRUE(torch::equal(two.train->range(0, 2).target, torch::tensor({3, 1}, torch::kLong)));
  EXPECT_EQ(two.train->range(1, 9).target.numel(), 1);  // the last batch is short
}

TEST_F(IdxData, NamesFilesThatDoNotBelongTogether) {
  const auto error = [&] { return error_of([&] { load_data({.path = root_}, TargetKind::kAny); }); };
  write("train", ramp(24), {0, 1, 2});
  EXPECT_EQ(error(), "[data] " + (root_ / "train-labels-idx1-ubyte").string() +
                         ": expected 2 labels, one an image, got 3; the two files belong to different sets");
  write("train", ramp(24), {0, 10});
  EXPECT_EQ(error(), "[data] " + (root_ / "train-labels-idx1-ubyte").string() +
                         ": expected labels in 0..9, got 10 at image 1; is data.classes 10 right?");
  write("train", ramp(24), {0, 1});
  write("t10k", ramp(24), {0}, 6);
  EXPECT_EQ(error(),
            "[data] " + root_.string() +
                ": expected test images of 3 x 4 pixels like the training images, got 6 x 4 pixels; both are "
                "shown to one model");
}

/// Mean and deviation of a channel, computed once more.
void expect_moments(const Tensor& values, double mean, double deviation) {
  const Tensor x = values.to(torch::kDouble);
  EXPECT_NEAR(mean, x.mean().item<double>(), 1e-6);
  EXPECT_NEAR(deviation, x.std(/*unbiased=*/false).item<double>(), 1e-6);
}

TEST(TensorSet, MeasuresEachChannelOfImages) {
  const Tensor bytes = torch::randint(0, 256, {6, 3, 4, 5}, torch::kByte),
               reals = torch::randn({6, 3, 4, 5}) * 3 + 7;
  const Tensor target = torch::zeros({6}, torch::kLong);
  for (const Tensor& x : {bytes, reals}) {
    const Normalization n = TensorSet(x, target).measured_normalization();
    ASSERT_EQ(n.mean.sizes().vec(), (std::vector<std::int64_t>{3, 1, 1}));
    const Tensor unit = x.scalar_type() == torch::kByte ? x.to(torch::kDouble) / 255 : x;
    for (std::int64_t c = 0; c < 3; ++c)
      expect_moments(unit.select(1, c), n.mean[c].item<double>(), n.deviation[c].item<double>());
  }
}

TEST(TensorSet, MeasuresEachFeatureOfRowsAndSequences) {
  const Tensor target = torch::zeros({50}, torch::kLong);
  for (const Tensor& x : {torch::randn({50, 4}), torch::randn({50, 7, 4})}) {
    const Normalization n = TensorSet(x, target).measured_normalization();
    ASSERT_EQ(n.mean.sizes().vec(), std::vector<std::int64_t>{4});
    for (std::int64_t f = 0; f < 4; ++f)
      expect_moments(x.select(-1, f), n.mean[f].item<double>(), n.deviation[f].item<double>());
  }
}

TEST(TensorSet, DividesEqualValuesByOne) {
  const Tensor target = torch::zeros({3}, torch::kLong);
  const Normalization bytes =
      TensorSet(torch::full({3, 1, 2, 2}, 51, torch::kByte), target).measured_normalization();
  EXPECT_EQ(bytes.mean.item<float>(), 0.2f);
  EXPECT_EQ(bytes.deviation.item<float>(), 1.0f);
  const Normalization reals = TensorSet(torch::full({3, 1}, 1234567.0f), target).measured_normalization();
  EXPECT_EQ(reals.mean.item<float>(), 1234567.0f);
  EXPECT_EQ(reals.deviation.item<float>(), 1.0f);
}

TEST(TextSet, GivesSequencesAndWhatFollowsEachByte) {
  const TextSet data("abcdefgh", 3);
  EXPECT_EQ(data.size(), 2);  // "abc" and "def"; "gh" is too short to have a next sequence
  const Batch batch = data.batch(torch::tensor({1, 0}, torch::kLong));
  EXPECT_TRUE(
      torch::equal(batch.x, torch::tensor({100, 101, 102, 97, 98, 99}, torch::kLong).reshape({2, 3})));
  EXPECT_TRUE(
      torch::equal(batch.target, torch::tensor({101, 102, 103, 98, 99, 100}, torch::kLong).reshape({2, 3})));
}

class TextData : public DataFolder {
 protected:
  DataConfig config(std::int64_t sequence) const {
    return {.source = "text", .path = (folder_ / "a.txt").string(), .sequence = sequence};
  }
};

TEST_F(TextData, TestsWithTheEndOfTheText) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>('!' + i % 90);
  write("a.txt", text);
  DataConfig with_validation = config(4);
  with_validation.validation_fraction = 0.25;
  const DataSet data = load_data(with_validation, TargetKind::kAny);
  EXPECT_TRUE(data.is_tokens);
  EXPECT_EQ(data.outputs, 256);
  EXPECT_EQ(data.train->size(), (60 - 1) / 4);
  EXPECT_EQ(data.validation->size(), (20 - 1) / 4);
  EXPECT_EQ(data.test->size(), (20 - 1) / 4);
  EXPECT_EQ(data.train->range(0, 1).x[0][0].item<std::int64_t>(), text[0]);
  EXPECT_EQ(data.validation->range(0, 1).x[0][0].item<std::int64_t>(), text[60]);
  EXPECT_EQ(data.test->range(0, 1).x[0][0].item<std::int64_t>(), text[80]);
}

TEST_F(TextData, RefusesATextThatIsTooShort) {
  write("a.txt", "0123456789");
  EXPECT_EQ(error_in_folder([&] { load_data(config(9), TargetKind::kAny); }),
            "[data] DIR/a.txt: expected more than the 9 bytes of data.sequence to train on, got 8; shorten "
            "the sequence "
            "or add text");
  EXPECT_EQ(error_in_folder([&] { load_data(config(3), TargetKind::kAny); }),
            "[data] DIR/a.txt: expected more than the 3 bytes of data.sequence to test with, got 2; shorten "
            "the sequence "
            "or add text");
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
    const Tensor first = augmented(images, config, torch::full({1, 1, 1}, 0.5f), {1, 2, 3});
    torch::manual_seed(99);
    EXPECT_TRUE(same_bits(augmented(images, config, torch::full({1, 1, 1}, 0.5f), {1, 2, 3}), first));
    EXPECT_FALSE(same_bits(augmented(images, config, torch::full({1, 1, 1}, 0.5f), {2, 2, 3}), first));
    EXPECT_FALSE(same_bits(augmented(images, config, torch::full({1, 1, 1}, 0.5f), {1, 3, 3}), first));
    EXPECT_FALSE(same_bits(augmented(images, config, torch::full({1, 1, 1}, 0.5f), {1, 2, 4}), first));
  }
}

TEST(Augmented, LeavesImagesAloneWhenNothingIsAsked) {
  const Tensor images = torch::randn({4, 1, 5, 6});
  EXPECT_TRUE(same_bits(augmented(images, {}, torch::full({1, 1, 1}, 0.5f), {1, 2, 3}), images));
}

TEST(Augmented, FlipsAboutHalfOfTheImages) {
  const Tensor images = torch::randn({200, 1, 5, 6});
  const Tensor result = augmented(images, {.flip = true}, torch::full({1, 1, 1}, 0.5f), {1, 2, 3});
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
  const Tensor result = augmented(images, {.crop_padding = 2}, torch::full({1, 1, 1}, -0.5f), {1, 2, 3});
  EXPECT_EQ(result.sizes(), images.sizes());
  std::set<std::pair<int, int>> shifts;
  for (std::int64_t i = 0; i < 150; ++i) shifts.insert(shift_of(images[i], result[i], -0.5f));
  EXPECT_GT(shifts.size(), 20u);  // of 25
}

TEST(Augmented, PadsEachChannelWithItsOwnBackground) {
  const Tensor images = torch::zeros({50, 2, 2, 2});
  const Tensor background = torch::tensor({1.0f, 2.0f}).reshape({2, 1, 1});
  const Tensor result = augmented(images, {.crop_padding = 2}, background, {1, 2, 3});
  for (std::int64_t c = 0; c < 2; ++c) {
    const Tensor channel = result.select(1, c), expected = background[c].item<float>() * torch::ones({});
    EXPECT_TRUE(((channel == 0) | (channel == expected)).all().item<bool>());
    EXPECT_TRUE((channel == expected).any().item<bool>());
  }
}

}  // namespace
}  // namespace samebits::training
