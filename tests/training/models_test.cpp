// training/models/models.h: which layers a configuration makes, and the sizes between them.
#include "training/models/models.h"

#include "tests/training/training_test.h"

namespace samebits::training {
namespace {

/// "conv1.weight [4, 1, 3, 3]", a line a parameter.
std::vector<std::string> parameters_of(const torch::nn::Module& model) {
  std::vector<std::string> lines;
  for (const auto& each : model.named_parameters())
    lines.push_back(c10::str(each.key(), " ", each.value().sizes()));
  return lines;
}

/// Of one image, and the classes.
struct Size {
  std::int64_t height, width, classes;
  ExampleShape shape() const { return {{1, height, width}, classes}; }
};

struct Case {
  const char* why;
  ModelConfig config;
  Size size;
  std::vector<std::string> parameters;
};

const Case kCases[] = {
    {"an mlp of one hidden layer",
     {.name = "mlp", .hidden = {5}},
     {4, 3, 10},
     {"fc1.weight [5, 12]", "fc1.bias [5]", "fc2.weight [10, 5]", "fc2.bias [10]"}},
    {"an mlp of two",
     {.name = "mlp", .hidden = {5, 6}},
     {4, 3, 7},
     {"fc1.weight [5, 12]", "fc1.bias [5]", "fc2.weight [6, 5]", "fc2.bias [6]", "fc3.weight [7, 6]",
      "fc3.bias [7]"}},
    {"odd sizes lose their last row and column in a pool",
     {.name = "cnn", .channels = {2, 3}, .hidden = {5}},
     {7, 9, 10},
     {"conv1.weight [2, 1, 3, 3]", "conv1.bias [2]", "conv2.weight [3, 2, 3, 3]", "conv2.bias [3]",
      "fc1.weight [5, 6]", "fc1.bias [5]", "fc2.weight [10, 5]", "fc2.bias [10]"}},
    {"as many pools as the image allows",
     {.name = "cnn", .channels = {2, 2}, .hidden = {5}},
     {4, 4, 10},
     {"conv1.weight [2, 1, 3, 3]", "conv1.bias [2]", "conv2.weight [2, 2, 3, 3]", "conv2.bias [2]",
      "fc1.weight [5, 2]", "fc1.bias [5]", "fc2.weight [10, 5]", "fc2.bias [10]"}},
};

TEST(MakeModel, BuildsTheLayersThatTheConfigurationNames) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    const auto model = make_model(c.config, c.size.shape());
    EXPECT_EQ(parameters_of(*model), c.parameters);
    const torch::Tensor y = model->forward(torch::randn({3, 1, c.size.height, c.size.width}));
    EXPECT_EQ(y.sizes().vec(), (std::vector<std::int64_t>{3, c.size.classes}));
  }
}

TEST(MakeModel, ComputesWhatTheLayersSayInFloat) {
  const auto model = make_model({.name = "cnn", .channels = {2}, .hidden = {5}}, {{1, 6, 6}, 10});
  const auto p = model->named_parameters();
  const torch::Tensor x = torch::randn({3, 1, 6, 6});
  torch::Tensor y =
      torch::max_pool2d(torch::relu(torch::conv2d(x, p["conv1.weight"], p["conv1.bias"], 1, 1)), 2);
  y = torch::relu(torch::linear(y.flatten(1), p["fc1.weight"], p["fc1.bias"]));
  EXPECT_TRUE(same_bits(model->forward(x), torch::linear(y, p["fc2.weight"], p["fc2.bias"])));
}

TEST(MakeModel, DrawsParametersFromTheDefaultGenerator) {
  const auto model_of_seed = [](std::uint64_t seed) {
    torch::manual_seed(seed);
    return make_model({.name = "mlp", .hidden = {5}}, {{1, 4, 3}, 10})->parameters();
  };
  const auto first = model_of_seed(1), again = model_of_seed(1), other = model_of_seed(2);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(same_bits(first[i], again[i]));
    EXPECT_FALSE(same_bits(first[i], other[i]));
  }
}

TEST(MakeModel, RefusesMorePoolsThanTheImageHasPixels) {
  const struct {
    std::size_t convs;
    Size size;
    const char* expected;
  } cases[] = {
      {5, {12, 30, 10}, "at most 3 channels for images of 12 x 30 pixels, got 5"},
      {5, {28, 28, 10}, "at most 4 channels for images of 28 x 28 pixels, got 5"},
      {1, {9, 1, 10}, "at most 0 channels for images of 9 x 1 pixels, got 1"},
  };
  for (const auto& c : cases) {
    const ModelConfig config{.name = "cnn", .channels = std::vector<std::int64_t>(c.convs, 2)};
    EXPECT_EQ(error_of([&] { make_model(config, c.size.shape()); }),
              std::string("[model] cnn: expected ") + c.expected + "; each one halves them");
  }
}

}  // namespace
}  // namespace samebits::training
