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
  ModelRequest request() const { return {{1, height, width}, classes}; }
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
    const auto model = make_model(c.config, c.size.request());
    EXPECT_EQ(parameters_of(*model.module), c.parameters);
    const torch::Tensor y = model.forward(torch::randn({3, 1, c.size.height, c.size.width}));
    EXPECT_EQ(y.sizes().vec(), (std::vector<std::int64_t>{3, c.size.classes}));
  }
}

TEST(MakeModel, ComputesWhatTheLayersSayInFloat) {
  const auto model = make_model({.name = "cnn", .channels = {2}, .hidden = {5}}, {{1, 6, 6}, 10});
  const auto p = model.module->named_parameters();
  const torch::Tensor x = torch::randn({3, 1, 6, 6});
  torch::Tensor y =
      torch::max_pool2d(torch::relu(torch::conv2d(x, p["conv1.weight"], p["conv1.bias"], 1, 1)), 2);
  y = torch::relu(torch::linear(y.flatten(1), p["fc1.weight"], p["fc1.bias"]));
  EXPECT_TRUE(same_bits(model.forward(x), torch::linear(y, p["fc2.weight"], p["fc2.bias"])));
}

TEST(MakeModel, DrawsParametersFromTheDefaultGenerator) {
  const auto model_of_seed = [](std::uint64_t seed) {
    torch::manual_seed(seed);
    return make_model({.name = "mlp", .hidden = {5}}, {{1, 4, 3}, 10}).module->parameters();
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
    EXPECT_EQ(error_of([&] { make_model(config, c.size.request()); }),
              std::string("[model] cnn: expected ") + c.expected + "; each one halves them");
  }
}

/// A built-in model of torch's own modules.
struct NetworkCase {
  const char* why;
  ModelConfig config;
  ModelRequest request;
  std::int64_t parameters;  // counted by hand from the layers
};

constexpr std::int64_t linear_size(std::int64_t from, std::int64_t to) {
  return from * to + to;
}
/// 3 x 3 without bias, and its batch normalization.
constexpr std::int64_t normed_size(std::int64_t from, std::int64_t to) {
  return 9 * from * to + 2 * to;
}
constexpr std::int64_t separable_size(std::int64_t from, std::int64_t to) {
  return 9 * from + 2 * from + from * to + 2 * to;
}
constexpr std::int64_t encoder_layer_size(std::int64_t width) {
  return linear_size(width, 3 * width) + linear_size(width, width) + linear_size(width, 4 * width) +
         linear_size(4 * width, width) + 4 * width;
}

const NetworkCase kNetworks[] = {
    {"resnet20: a stem, three stages of three blocks, two of which widen by 1 x 1",
     {.name = "resnet20"},
     {{3, 32, 32}, 10},
     normed_size(3, 16) + 6 * normed_size(16, 16) + normed_size(16, 32) + 5 * normed_size(32, 32) + 16 * 32 +
         64 + normed_size(32, 64) + 5 * normed_size(64, 64) + 32 * 64 + 128 + linear_size(64, 10)},
    {"a narrow one of one block a stage",
     {.name = "resnet20", .width = 4, .depth = 1},
     {{1, 9, 7}, 3},
     normed_size(1, 4) + 2 * normed_size(4, 4) + normed_size(4, 8) + normed_size(8, 8) + 4 * 8 + 16 +
         normed_size(8, 16) + normed_size(16, 16) + 8 * 16 + 32 + linear_size(16, 3)},
    {"mobilenet: two blocks a stage",
     {.name = "mobilenet", .width = 4},
     {{1, 12, 12}, 5},
     normed_size(1, 4) + separable_size(4, 8) + separable_size(8, 8) + separable_size(8, 16) +
         separable_size(16, 16) + separable_size(16, 32) + separable_size(32, 32) + linear_size(32, 5)},
    {"lstm over the rows of an image, all channels in one",
     {.name = "lstm", .width = 8},
     {{2, 5, 6}, 4},
     4 * (12 * 8 + 8 * 8 + 2 * 8) + linear_size(8, 4)},
    {"lstm of two layers over tokens",
     {.name = "lstm", .width = 8, .depth = 2},
     {{5}, 20, true},
     20 * 8 + 2 * 4 * (8 * 8 + 8 * 8 + 2 * 8) + linear_size(8, 20)},
    {"gru over a sequence",
     {.name = "gru", .width = 8},
     {{5, 6}, 4},
     3 * (6 * 8 + 8 * 8 + 2 * 8) + linear_size(8, 4)},
    {"transformer",
     {.name = "transformer", .width = 8, .depth = 3, .heads = 2},
     {{1, 5, 6}, 4},
     linear_size(6, 8) + 5 * 8 + 3 * encoder_layer_size(8) + linear_size(8, 4)},
    {"gpt, whose table of tokens is that of outputs too",
     {.name = "gpt", .width = 8, .depth = 2, .heads = 2},
     {{5}, 20, true},
     20 * 8 + 5 * 8 + 2 * encoder_layer_size(8) + 2 * 8},
};

torch::Tensor random_input(const ModelRequest& request, std::int64_t n) {
  std::vector<std::int64_t> shape = request.input;
  shape.insert(shape.begin(), n);
  return request.is_tokens ? torch::randint(request.outputs, shape, torch::kLong) : torch::randn(shape);
}

TEST(Networks, HaveTheirParametersAndGiveOutputsOfTheirShape) {
  for (const NetworkCase& c : kNetworks) {
    SCOPED_TRACE(c.why);
    const TrainableModel model = make_model(c.config, c.request);
    std::int64_t parameters = 0;
    for (const torch::Tensor& each : model.module->parameters()) parameters += each.numel();
    EXPECT_EQ(parameters, c.parameters);
    std::vector<std::int64_t> expected{3, c.request.outputs};
    if (c.request.is_tokens) expected.insert(expected.begin() + 1, c.request.input[0]);
    EXPECT_EQ(model.forward(random_input(c.request, 3)).sizes().vec(), expected);
  }
}

TEST(Networks, GiveEveryParameterAGradient) {
  for (const NetworkCase& c : kNetworks) {
    SCOPED_TRACE(c.why);
    const TrainableModel model = make_model(c.config, c.request);
    model.forward(random_input(c.request, 3)).square().mean().backward();
    for (const auto& each : model.module->named_parameters()) {
      ASSERT_TRUE(each.value().grad().defined()) << each.key();
      EXPECT_GT(each.value().grad().abs().max().item<float>(), 0) << each.key();
    }
  }
}

TEST(Networks, GiveAnExampleTheSameOutputInAnyBatchInEval) {
  for (const NetworkCase& c : kNetworks) {
    SCOPED_TRACE(c.why);
    const torch::NoGradGuard no_grad;
    const TrainableModel model = make_model(c.config, c.request);
    model.module->eval();
    const torch::Tensor x = random_input(c.request, 4);
    EXPECT_TRUE(
        torch::allclose(model.forward(x).narrow(0, 2, 1), model.forward(x.narrow(0, 2, 1)), 1e-4, 1e-5));
  }
}

TEST(Networks, TellATokenFromThoseBeforeItAlone) {
  for (const char* name : {"gpt", "lstm", "gru"}) {
    SCOPED_TRACE(name);
    const torch::NoGradGuard no_grad;
    const TrainableModel model = make_model({.name = name, .width = 8, .heads = 2}, {{6}, 20, true});
    const torch::Tensor x = torch::arange(6, torch::kLong).unsqueeze(0);
    torch::Tensor changed = x.clone();
    changed[0][4] = 17;
    const torch::Tensor y = model.forward(x), z = model.forward(changed);
    EXPECT_TRUE(torch::allclose(y.narrow(1, 0, 4), z.narrow(1, 0, 4), 1e-5, 1e-6));
    EXPECT_FALSE(torch::allclose(y[0][4], z[0][4], 1e-3, 1e-4));
  }
}

TEST(MakeModel, RefusesExamplesOfAnotherKind) {
  const struct {
    const char* name;
    ModelRequest request;
    const char* expected;
  } cases[] = {
      {"cnn", {{13}, 3}, "mlp for examples of [13], got cnn"},
      {"gpt",
       {{1, 8, 8}, 3},
       "cnn, mlp, resnet20, mobilenet, lstm, gru or transformer for examples of [1, 8, 8], got gpt"},
      {"resnet20", {{7, 4}, 3}, "mlp, lstm, gru or transformer for examples of [7, 4], got resnet20"},
      {"mlp", {{64}, 256, true}, "lstm, gru or gpt for examples of tokens [64], got mlp"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_of([&] { make_model({.name = c.name}, c.request); }),
              std::string("[model] name: expected ") + c.expected);
}

}  // namespace
}  // namespace samebits::training
