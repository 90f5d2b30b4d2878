// training/plugin.h: what a plug-in gives, and every way in which one is refused. The libraries are
// tests/training/plugins.
#include "training/plugin.h"

#include "tests/training/data_files.h"
#include "tests/training/training_test.h"
#include "training/data/data_set.h"
#include "training/models/models.h"

namespace samebits::training {
namespace {

const std::string kGood = SAMEBITS_TEST_PLUGINS "/good_plugin.so",
                  kOld = SAMEBITS_TEST_PLUGINS "/old_plugin.so",
                  kUnrelated = SAMEBITS_TEST_PLUGINS "/unrelated_plugin.so";

ModelConfig model(const std::string& library, const std::string& name) {
  return {.name = name, .library = library};
}

DataConfig data(const std::string& name) {
  return {.source = "library", .path = kGood, .name = name};
}

TEST(Plugin, GivesModelsForWhatTheDataAsk) {
  torch::manual_seed(3);
  const TrainableModel first = make_model(model(kGood, "line"), {{3}, 2});
  torch::manual_seed(3);
  const TrainableModel again = make_model(model(kGood, "line"), {{3}, 2});
  const torch::Tensor x = torch::randn({5, 3});
  EXPECT_EQ(first.forward(x).sizes().vec(), (std::vector<std::int64_t>{5, 2}));
  EXPECT_TRUE(same_bits(first.forward(x), again.forward(x)));
}

TEST(Plugin, GivesDataAsTheyAre) {
  DataConfig limited = data("ramp");
  limited.train_limit = 6;
  const DataSet set = load_data(limited, TargetKind::kAny);
  EXPECT_EQ(set.train->size(), 6);
  EXPECT_EQ(set.test->size(), 4);
  EXPECT_EQ(set.input, std::vector<std::int64_t>{3});
  EXPECT_EQ(set.outputs, 2);
  EXPECT_FALSE(set.is_tokens);
  EXPECT_TRUE(same_bits(set.train->range(1, 2).x, torch::tensor({3.0f, 4.0f, 5.0f}).reshape({1, 3})));
}

TEST(Plugin, IsRefusedWithItsPathAndTheWayOut) {
  const struct {
    std::string library, name;
    std::string error;
  } cases[] = {
      {"none/libx.so", "line", "none/libx.so: expected a shared library, got no such file; check the path"},
      {kUnrelated, "line",
       kUnrelated + ": expected the symbol samebits_plugin_version, got none; a plug-in includes "
                    "samebits/plugin.h and "
                    "says SAMEBITS_PLUGIN"},
      {kOld, "line",
       kOld +
           ": expected a plug-in for \"samebits plug-in 1, LibTorch " TORCH_VERSION
           "\", got \"samebits plug-in 0, LibTorch 1.0\"; build it again with the headers of this samebits"},
      {kGood, "lime",
       kGood + ": expected its model line, none, throws or wide, got \"lime\"; did you mean \"line\"?"},
      {kGood, "wide", kGood + ": wide: expected outputs [2, 2] for inputs [2, 3], got [2, 3]"},
      {kGood, "none", kGood + ": none: expected a model, got none"},
      {kGood, "throws", kGood + ": throws: expected luck, got none"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_of([&] { make_model(model(c.library, c.name), {{3}, 2}); }), "[plugin] " + c.error);
}

TEST(Plugin, IsRefusedWhenItsDataAreWrong) {
  const struct {
    const char *name, *error;
  } cases[] = {
      {"ram",
       "expected its data set double, fewer targets, no outputs, no test part, ramp or wider test part, got "
       "\"ram\"; did you mean \"ramp\"?"},
      {"no outputs", "no outputs: outputs: expected a number >= 1, got 0"},
      {"no test part", "no test part: test: expected x and target of at least one example, got none"},
      {"double", "double: train.x: expected float32 or int64, got Double"},
      {"wider test part", "wider test part: test.x: expected Float examples [3] like train.x, got Float [5]"},
      {"fewer targets", "fewer targets: train.target: expected 10 targets, one an example, got 9"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_of([&] { load_data(data(c.name), TargetKind::kAny); }),
              "[plugin] " + kGood + ": " + c.error);
}

class PluginFile : public DataFolder {};

TEST_F(PluginFile, IsRefusedWhenItCannotBeLoaded) {
  const std::string path = write("text.so", "no library");
  EXPECT_EQ(error_in_folder([&] { load_plugin(path); }),
            "[plugin] DIR/text.so: expected a shared library that can be loaded, got \"DIR/text.so: file too "
            "short\"; "
            "build it on this machine, against the LibTorch of this samebits");
}

}  // namespace
}  // namespace samebits::training
