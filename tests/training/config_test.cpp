// Whole files in, whole messages out; what to_yaml() writes is read back equal.
#include "training/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/torch_ext/config_error.h"
#include "tests/training/output_folder.h"
#include "tests/training/random_config.h"

namespace samebits::training {
namespace {

using Assignments = std::vector<std::string>;

// A file c.yaml in the working directory, so that messages name it shortly.
class ConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    home_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
  }
  void TearDown() override {
    std::filesystem::current_path(home_);
    std::filesystem::remove_all(folder_);
  }
  static Config load(const std::string& text, const Assignments& assignments = {}) {
    std::ofstream("c.yaml", std::ios::binary) << text;
    return load_config("c.yaml", assignments);
  }

 private:
  std::filesystem::path folder_ = output_folder("config");
  std::filesystem::path home_;
};

// As README and docs show it.
const char* const kExample = R"(name: fashion_mnist_cnn_int8
seed: 0
data: {name: fashion_mnist, batch_size: 256}
model: {name: cnn, channels: [32, 64], hidden: 256}
train: {epochs: 6, optimizer: {name: adamw, lr: 1e-3}, schedule: {name: cosine, warmup_steps: 100}}
qat:
  epochs: 2
  optimizer: {lr: 2e-4}
  observe_steps: 200
  weight: {bits: 8, granularity: per_channel, symmetric: true}
  activation: {bits: 8, observer: moving_average}
  layers: {"fc.*": {weight: {bits: 4, group_size: 32}}}     # by name, glob
export: [package, onnx]
)";

TEST_F(ConfigFile, ReadsTheExampleOfTheReadme) {
  Config expected;
  expected.name = "fashion_mnist_cnn_int8";
  expected.train.schedule.warmup_steps = 100;
  LayerConfig fc;
  fc.weight.bits = 4;
  fc.weight.granularity = Granularity::kPerGroup;
  fc.weight.group_size = 32;
  expected.qat.qconfig.layers = {{"fc.*", fc}};
  EXPECT_EQ(load(kExample), expected);
}

TEST_F(ConfigFile, NeedsNothingButAName) {
  Config expected;
  expected.name = "a";
  EXPECT_EQ(load("name: a\n"), expected);
}

TEST_F(ConfigFile, ReadsEveryKey) {
  Config c = load(R"(name: a.b-C_1
seed: 9223372036854775807
threads: 3
checkpoint_every: 50
output: /tmp/elsewhere
data:
  idx: ../data
  classes: 12
  validation_fraction: 0.125
  split_seed: 4
  batch_size: 7
  train_limit: 100
  test_limit: 10
  augment: {flip: true, crop_padding: 2}
model: {hidden: [8, 4], channels: 5}
train:
  epochs: 9
  optimizer: {name: sgd, lr: 0.5, weight_decay: 1e-4, momentum: 0}
  schedule: {name: constant, warmup_steps: 5}
qat:
  epochs: 3
  optimizer: {name: adamw, lr: .25, weight_decay: 0, beta1: 0, beta2: 0.5}
  schedule: {name: cosine, warmup_steps: 6}
  observe_steps: 1
  freeze_at: 1
  freeze_bn_at: 0.25
  bn_reestimate_batches: 3
  calibration_batches: 2
  activation: {bits: 6}
export: [onnx]
)");
  EXPECT_EQ(c.name, "a.b-C_1");
  EXPECT_EQ(c.seed, 9223372036854775807u);
  EXPECT_EQ(c.threads, 3);
  EXPECT_EQ(c.checkpoint_every, 50);
  EXPECT_EQ(c.output, "/tmp/elsewhere");
  EXPECT_EQ(c.data, (DataConfig{.path = "../data",
                                .classes = 12,
                                .validation_fraction = 0.125,
                                .split_seed = 4,
                                .batch_size = 7,
                                .train_limit = 100,
                                .test_limit = 10,
                                .augment = {.flip = true, .crop_padding = 2}}));
  EXPECT_EQ(c.model, (ModelConfig{.channels = {5}, .hidden = {8, 4}}));
  EXPECT_EQ(c.train,
            (TrainConfig{.epochs = 9,
                         .optimizer = {.name = "sgd", .lr = 0.5, .weight_decay = 1e-4, .momentum = 0},
                         .schedule = {.name = "constant", .warmup_steps = 5}}));
  QatConfig qat{.epochs = 3,
                .optimizer = {.name = "adamw", .lr = 0.25, .momentum = 0, .beta1 = 0, .beta2 = 0.5},
                .schedule = {.name = "cosine", .warmup_steps = 6},
                .observe_steps = 1,
                .freeze_at = 1,
                .freeze_bn_at = 0.25,
                .bn_reestimate_batches = 3,
                .calibration_batches = 2};
  qat.qconfig.defaults.activation.bits = 6;
  EXPECT_EQ(c.qat, qat);
  EXPECT_EQ(c.exports, std::vector<std::string>{"onnx"});
}

TEST_F(ConfigFile, QatInheritsTheOptimizerAndTheNameOfTheSchedule) {
  const QatConfig qat = load(R"(name: a
qat: {optimizer: {weight_decay: 0.5}}
train: {optimizer: {name: sgd, lr: 1, momentum: 0.25}, schedule: {name: constant, warmup_steps: 9}}
)")
                            .qat;
  EXPECT_EQ(qat.optimizer,
            (OptimizerConfig{.name = "sgd", .lr = 0.2, .weight_decay = 0.5, .momentum = 0.25}));
  EXPECT_EQ(qat.schedule, (ScheduleConfig{.name = "constant", .warmup_steps = 0}));
}

TEST_F(ConfigFile, AssignmentsWinInTheirOrder) {
  const Config c =
      load(kExample, {"qat.epochs=5", "train.optimizer.lr=1e-2", "model={name: mlp, hidden: [3]}",
                      "qat.layers.\"fc.*\".skip=true", "qat.epochs=7"});
  EXPECT_EQ(c.qat.epochs, 7);
  EXPECT_EQ(c.train.optimizer.lr, 1e-2);
  EXPECT_EQ(c.model, (ModelConfig{.name = "mlp", .hidden = {3}}));
  EXPECT_TRUE(c.qat.qconfig.layer("fc.1").skip);
}

TEST_F(ConfigFile, ReadsTheKeysOfEarlierVersions) {
  EXPECT_EQ(load("name: a\ndata: {name: fashion_mnist, root: ../data}\n"),
            load("name: a\ndata: {idx: ../data}\n"));
}

TEST_F(ConfigFile, ReadsTheKeysOfEachSource) {
  const std::string rest = "\nmodel: {library: m.so, name: net}\n";
  const auto data = [&](const std::string& keys) {
    return load("name: a\ndata: {" + keys + "}" + rest).data;
  };
  EXPECT_EQ(data("images: a, size: 32, channels: 1"),
            (DataConfig{.source = "images", .path = "a", .size = 32, .channels = 1}));
  EXPECT_EQ(data("npy: a"), (DataConfig{.source = "npy", .path = "a"}));
  EXPECT_EQ(data("csv: a.csv, target: class, header: false"),
            (DataConfig{.source = "csv", .path = "a.csv", .target = {"class"}, .header = false}));
  EXPECT_EQ(data("csv: a.csv, target: [x, y]"),
            (DataConfig{.source = "csv", .path = "a.csv", .target = {"x", "y"}}));
  EXPECT_EQ(data("text: a.txt, sequence: 16"),
            (DataConfig{.source = "text", .path = "a.txt", .sequence = 16}));
  EXPECT_EQ(data("library: l.so, name: n"), (DataConfig{.source = "library", .path = "l.so", .name = "n"}));
  const Config gpt = load(
      "name: a\ninit: w\ndata: {text: t}\ntask: {loss: next_token, metric: perplexity}\n"
      "model: {name: gpt, width: 8, depth: 3, heads: 2}\nqat: {epochs: 0}\n");
  EXPECT_EQ(gpt.init, "w");
  EXPECT_EQ(gpt.task, (TaskConfig{.loss = "next_token", .metric = "perplexity"}));
  EXPECT_EQ(gpt.model, (ModelConfig{.name = "gpt", .width = 8, .depth = 3, .heads = 2}));
}

struct BadFile {
  const char* text;
  Assignments assignments;
  const char* message;
};

const BadFile kBadFiles[] = {
    {"", {}, "[config] c.yaml: expected a map, got an empty document"},
    {"# nothing\n", {}, "[config] c.yaml:1: expected a map, got an empty document\n  1 | # nothing\n      ^"},
    {"- name: a\n", {}, "[config] c.yaml:1: expected a map, got a list\n  1 | - name: a\n      ^"},
    {"seed: 1\n",
     {},
     "[config] c.yaml:1: name: expected a value, got nothing; add the key\n  1 | seed: 1\n      ^"},
    {"name: a/b\n",
     {},
     "[config] c.yaml:1: name: expected up to 100 letters, digits, \".\", \"_\" or \"-\", first a letter or "
     "a "
     "digit, got \"a/b\"; it names a folder\n  1 | name: a/b\n            ^"},
    {"name: ..\n",
     {},
     "[config] c.yaml:1: name: expected up to 100 letters, digits, \".\", \"_\" or \"-\", first a letter or "
     "a "
     "digit, got \"..\"; it names a folder\n  1 | name: ..\n            ^"},
    {"name: a\nsede: 1\n",
     {},
     "[config] c.yaml:2: sede: unknown key; did you mean \"seed\"?\n  2 | sede: 1\n      ^"},
    {"name: a\nbatch_size: 1\n",
     {},
     "[config] c.yaml:2: batch_size: unknown key; expected name, seed, threads, checkpoint_every, output, "
     "init, "
     "data, task, model, train, qat or export\n  2 | batch_size: 1\n      ^"},
    {"name: a\nqat:\n  activaton: {bits: 8}\n",
     {},
     "[config] c.yaml:3: qat.activaton: unknown key; did you mean \"activation\"?\n"
     "  3 |   activaton: {bits: 8}\n        ^"},
    {"name: a\nname: b\n",
     {},
     "[config] c.yaml:2: name: duplicate key, first on line 1; keep one of them\n  2 | name: b\n      ^"},
    {"name: a\nseed: -1\n",
     {},
     "[config] c.yaml:2: seed: expected an integer >= 0, got -1\n  2 | seed: -1\n            ^"},
    {"name: a\noutput: ''\n",
     {},
     "[config] c.yaml:2: output: expected a text that is not empty, got \"\"\n  2 | output: ''\n             "
     " ^"},
    {"name: a\ndata:\n", {}, "[config] c.yaml:2: data: expected a map, got nothing\n  2 | data:\n      ^"},
    {"name: a\ndata: [1]\n",
     {},
     "[config] c.yaml:2: data: expected a map, got a list\n  2 | data: [1]\n            ^"},
    {"name: a\ndata: {batch_size: 0}\n",
     {},
     "[config] c.yaml:2: data.batch_size: expected an integer >= 1, got 0\n"
     "  2 | data: {batch_size: 0}\n                         ^"},
    {"name: a\ndata: {name: mnist}\n",
     {},
     "[config] c.yaml:2: data.name: expected fashion_mnist, got \"mnist\"; name data by idx, images, npy, "
     "csv, "
     "text or library\n"
     "  2 | data: {name: mnist}\n                   ^"},
    {"name: a\ndata: {augment: {crop_padding: 29}}\n",
     {},
     "[config] c.yaml:2: data.augment.crop_padding: expected an integer in 0..28, got 29\n"
     "  2 | data: {augment: {crop_padding: 29}}\n                                     ^"},
    {"name: a\ndata: {csv: a.csv, npy: b}\n",
     {},
     "[config] c.yaml:2: data.csv: expected npy or csv, got \"a.csv\"; keep one of them\n"
     "  2 | data: {csv: a.csv, npy: b}\n                  ^"},
    {"name: a\ndata: {root: a, idx: b}\n",
     {},
     "[config] c.yaml:2: data.root: expected no root beside idx, got \"a\"; remove it\n"
     "  2 | data: {root: a, idx: b}\n                   ^"},
    {"name: a\ndata: {csv: a.csv, sequence: 8}\nmodel: {name: mlp}\n",
     {},
     "[config] c.yaml:2: data.sequence: expected no sequence with data csv, got 8; remove the key\n"
     "  2 | data: {csv: a.csv, sequence: 8}\n                                   ^"},
    {"name: a\ndata: {csv: a.csv, augment: {flip: true}}\nmodel: {name: mlp}\n",
     {},
     "[config] c.yaml:2: data.augment: expected no augment with data csv, got a map; remove the key\n"
     "  2 | data: {csv: a.csv, augment: {flip: true}}\n                                  ^"},
    {"name: a\ndata: {images: a, channels: 2}\n",
     {},
     "[config] c.yaml:2: data.channels: expected 1 or 3, got 2\n"
     "  2 | data: {images: a, channels: 2}\n                                  ^"},
    {"name: a\ndata: {csv: a.csv, target: []}\nmodel: {name: mlp}\n",
     {},
     "[config] c.yaml:2: data.target: expected at least one text, got a list\n"
     "  2 | data: {csv: a.csv, target: []}\n                                 ^"},
    {"name: a\ndata: {test_fraction: 1}\n",
     {},
     "[config] c.yaml:2: data.test_fraction: expected a number > 0 and < 1, got 1\n"
     "  2 | data: {test_fraction: 1}\n                            ^"},
    {"name: a\ntask: {loss: mse}\n",
     {},
     "[config] c.yaml:2: task.loss: expected cross_entropy with data idx, got \"mse\"\n"
     "  2 | task: {loss: mse}\n                   ^"},
    {"name: a\ntask: {metric: mse}\n",
     {},
     "[config] c.yaml:2: task.metric: expected accuracy or top5 with loss cross_entropy, got \"mse\"\n"
     "  2 | task: {metric: mse}\n                     ^"},
    {"name: a\ndata: {text: a.txt}\nmodel: {name: gpt}\nqat: {epochs: 0}\ntask: {metric: top5}\n",
     {},
     "[config] c.yaml:5: task.metric: expected bits_per_byte, perplexity or accuracy with loss next_token, "
     "got "
     "\"top5\"\n  5 | task: {metric: top5}\n                     ^"},
    {"name: a\ndata: {text: a.txt}\n",
     {},
     "[config] c.yaml: model.name: expected lstm, gru or gpt with data text, got cnn"},
    {"name: a\ndata: {csv: a.csv}\nmodel: {name: resnet20}\n",
     {},
     "[config] c.yaml:3: model.name: expected mlp with data csv, got \"resnet20\"\n"
     "  3 | model: {name: resnet20}\n                    ^"},
    {"name: a\nmodel: {pt2: net.pt2, name: mlp}\n",
     {},
     "[config] c.yaml:2: model.name: expected no name with a pt2 archive, got \"mlp\"; remove the key\n"
     "  2 | model: {pt2: net.pt2, name: mlp}\n                                  ^"},
    {"name: a\nmodel: {library: a.so, name: b, pt2: net.pt2}\n",
     {},
     "[config] c.yaml:2: model.pt2: expected no pt2 with a library, got \"net.pt2\"; remove the key\n"
     "  2 | model: {library: a.so, name: b, pt2: net.pt2}\n"
     "                                           ^"},
    {"name: a\nmodel: {pt2: net.pt2, width: 8}\n",
     {},
     "[config] c.yaml:2: model.width: expected no width with a pt2 archive, got 8; remove the key\n"
     "  2 | model: {pt2: net.pt2, width: 8}\n                                   ^"},
    {"name: a\nmodel: {name: transformer, width: 30}\nqat: {epochs: 0}\n",
     {},
     "[config] c.yaml: model.heads: expected a divisor of the width 30, got 4"},
    {"name: a\nqat: {epochs: 0}\nexport: [onnx]\n",
     {},
     "[config] c.yaml:3: export: expected no export with qat.epochs 0, got a list; remove the key\n"
     "  3 | export: [onnx]\n              ^"},
    {"name: a\nmodel: {library: a.so, name: net, hidden: 3}\n",
     {},
     "[config] c.yaml:2: model.hidden: expected no hidden with a library, got 3; remove the key\n"
     "  2 | model: {library: a.so, name: net, hidden: 3}\n                                                ^"},
    {"name: a\nmodel: {channels: []}\n",
     {},
     "[config] c.yaml:2: model.channels: expected at least one size, got a list; for example [64]\n"
     "  2 | model: {channels: []}\n                        ^"},
    {"name: a\nmodel: {hidden: [256, 0]}\n",
     {},
     "[config] c.yaml:2: model.hidden[1]: expected an integer in 1..65536, got 0\n"
     "  2 | model: {hidden: [256, 0]}\n                            ^"},
    {"name: a\nmodel: {name: mlp, channels: [32]}\n",
     {},
     "[config] c.yaml:2: model.channels: expected no channels with model mlp, got a list; remove the key\n"
     "  2 | model: {name: mlp, channels: [32]}\n                                   ^"},
    {"name: a\ntrain: {epochs: 0}\n",
     {},
     "[config] c.yaml:2: train.epochs: expected an integer >= 1 for weights that are drawn, got 0; name the "
     "file of trained ones as init\n"
     "  2 | train: {epochs: 0}\n                      ^"},
    {"name: a\ntrain: {optimizer: {lr: .nan}}\n",
     {},
     "[config] c.yaml:2: train.optimizer.lr: expected a number > 0, got .nan\n"
     "  2 | train: {optimizer: {lr: .nan}}\n                              ^"},
    {"name: a\ntrain: {optimizer: {lr: 0}}\n",
     {},
     "[config] c.yaml:2: train.optimizer.lr: expected a number > 0, got 0\n"
     "  2 | train: {optimizer: {lr: 0}}\n                              ^"},
    {"name: a\ntrain: {optimizer: {lr: .inf}}\n",
     {},
     "[config] c.yaml:2: train.optimizer.lr: expected a number > 0, got .inf\n"
     "  2 | train: {optimizer: {lr: .inf}}\n                              ^"},
    {"name: a\ntrain: {optimizer: {name: adam}}\n",
     {},
     "[config] c.yaml:2: train.optimizer.name: expected adamw or sgd, got \"adam\"; did you mean \"adamw\"?\n"
     "  2 | train: {optimizer: {name: adam}}\n                                ^"},
    {"name: a\ntrain: {optimizer: {momentum: 0.9}}\n",
     {},
     "[config] c.yaml:2: train.optimizer.momentum: expected no momentum with optimizer adamw, got 0.9; "
     "remove the "
     "key\n  2 | train: {optimizer: {momentum: 0.9}}\n                                    ^"},
    {"name: a\ntrain: {optimizer: {name: sgd, beta1: 0.9}}\n",
     {},
     "[config] c.yaml:2: train.optimizer.beta1: expected no beta1 with optimizer sgd, got 0.9; remove the "
     "key\n"
     "  2 | train: {optimizer: {name: sgd, beta1: 0.9}}\n                                            ^"},
    {"name: a\ntrain: {optimizer: {beta2: 1}}\n",
     {},
     "[config] c.yaml:2: train.optimizer.beta2: expected a number >= 0 and < 1, got 1\n"
     "  2 | train: {optimizer: {beta2: 1}}\n                                 ^"},
    {"name: a\nqat: {freeze_at: 1.5}\n",
     {},
     "[config] c.yaml:2: qat.freeze_at: expected a number in 0..1, got 1.5\n"
     "  2 | qat: {freeze_at: 1.5}\n                       ^"},
    {"name: a\nqat: {freeze_bn_at: -1}\n",
     {},
     "[config] c.yaml:2: qat.freeze_bn_at: expected a number in 0..1, got -1\n"
     "  2 | qat: {freeze_bn_at: -1}\n                          ^"},
    {"name: a\nqat: {weight: {bits: 9}}\n",
     {},
     "[config] c.yaml:2: qat.weight.bits: expected an integer in 2..8, got 9\n"
     "  2 | qat: {weight: {bits: 9}}\n                           ^"},
    {"name: a\nexport: onnx\n",
     {},
     "[config] c.yaml:2: export: expected a list, got \"onnx\"\n  2 | export: onnx\n              ^"},
    {"name: a\nexport: []\n",
     {},
     "[config] c.yaml:2: export: expected at least one of package or onnx, got a list\n"
     "  2 | export: []\n              ^"},
    {"name: a\nexport: [onnx, onnx]\n",
     {},
     "[config] c.yaml:2: export[1]: expected each name once, got \"onnx\"\n"
     "  2 | export: [onnx, onnx]\n                     ^"},
    {"name: a\nthreads: 4294967297\n",
     {},
     "[config] c.yaml:2: threads: expected an integer <= 1024, got 4294967297\n"
     "  2 | threads: 4294967297\n               ^"},
    {"name: a\ntrain: {epochs: 99999999999999999999}\n",
     {},
     "[config] c.yaml:2: train.epochs: expected an integer <= 1000000, got 99999999999999999999\n"
     "  2 | train: {epochs: 99999999999999999999}\n                      ^"},
    {"name: a\nthreads: '4294967297'\n",
     {},
     "[config] c.yaml:2: threads: expected an integer >= 0, got \"4294967297\"; remove the quotes\n"
     "  2 | threads: '4294967297'\n               ^"},
    {"name: a\n", {"qat.epochs"}, "[config] --set qat.epochs: expected KEY.PATH=VALUE, got no \"=\""},
    {"name: a\n",
     {"qat.epoch=1"},
     "[config] --set qat.epoch=1: qat.epoch: unknown key; did you mean \"epochs\"?"},
    {"name: a\n",
     {"name.first=b"},
     "[config] --set name.first=b: name: expected a map, got \"a\"; assign the whole value"},
    {"name: a\n",
     {"qat.epochs=1e3"},
     "[config] --set qat.epochs=1e3: qat.epochs: expected an integer >= 0, got 1e3"},
    {"name: a\n", {"name="}, "[config] --set name=: name: expected a text, got nothing"},
};

TEST_F(ConfigFile, RefusesWhatNoRunCanUse) {
  for (const BadFile& bad : kBadFiles) {
    SCOPED_TRACE(bad.text);
    EXPECT_EQ(config_error([&] { load(bad.text, bad.assignments); }), bad.message);
  }
}

TEST_F(ConfigFile, BoundsEveryInteger) {
  const std::pair<const char*, const char*> most[] = {{"threads", "1024"},
                                                      {"checkpoint_every", "1000000000"},
                                                      {"data.batch_size", "1000000000"},
                                                      {"data.train_limit", "4294967296"},
                                                      {"data.test_limit", "4294967296"},
                                                      {"train.epochs", "1000000"},
                                                      {"qat.epochs", "1000000"},
                                                      {"train.schedule.warmup_steps", "1000000000"},
                                                      {"qat.observe_steps", "1000000000"},
                                                      {"qat.calibration_batches", "1000000000"}};
  for (const auto& [key, limit] : most) {
    const std::string assignment = std::string(key) + "=" + limit;
    EXPECT_EQ(config_error([&] { load("name: a\n", {assignment}); }), "no error") << assignment;
    const std::string above = std::string(key) + "=" + std::to_string(std::stoll(limit) + 1);
    EXPECT_EQ(config_error([&] { load("name: a\n", {above}); }),
              "[config] --set " + above + ": " + key + ": expected an integer <= " + limit + ", got " +
                  above.substr(above.find('=') + 1));
  }
}

TEST_F(ConfigFile, BoundsTheNumberOfLayers) {
  std::string sizes = "[1";
  for (int i = 0; i < 64; ++i) sizes += ",1";
  const std::string assignment = "model.hidden=" + sizes + "]";
  EXPECT_EQ(
      config_error([&] { load("name: a\n", {assignment}); }),
      "[config] --set " + assignment + ": model.hidden: expected at most 64 sizes, got a list; it has 65");
}

// 10 s and more when each key looks for itself among all others.
TEST_F(ConfigFile, ReadsManyKeysInLinearTime) {
  std::string layers = "name: a\nqat:\n  layers:\n", keys = "name: a\n";
  for (int i = 0; i < 100'000; ++i) layers += "    \"layer" + std::to_string(i) + "\": {skip: true}\n";
  for (int i = 0; i < 200'000; ++i) keys += "key" + std::to_string(i) + ": 1\n";
  const std::clock_t begin = std::clock();
  EXPECT_EQ(load(layers).qat.qconfig.layers.size(), 100'000u);
  EXPECT_THAT(config_error([&] { load(keys); }), testing::HasSubstr("key0: unknown key"));
  EXPECT_LT(std::clock() - begin, 10 * CLOCKS_PER_SEC);
}

TEST_F(ConfigFile, ReadsOnlyRegularFilesOfASaneSize) {
  ASSERT_EQ(mkfifo("pipe.yaml", 0600), 0);
  for (const char* file : {"pipe.yaml", "/dev/zero"})
    EXPECT_EQ(config_error([&] { load_config(file, {}); }),
              std::string("[config] ") + file +
                  ": expected a readable file, got \"a pipe or a device\"; check the path");
  std::filesystem::remove("pipe.yaml");
  std::ofstream("c.yaml").close();
  std::filesystem::resize_file("c.yaml", (16u << 20) + 1);  // sparse
  EXPECT_EQ(config_error([&] { load_config("c.yaml", {}); }),
            "[config] c.yaml: expected at most 16 MiB, got more; is it a configuration?");
}

TEST_F(ConfigFile, NamesAFileThatIsMissing) {
  EXPECT_EQ(
      config_error([] { load_config("nowhere/c.yaml", {}); }),
      "[config] nowhere/c.yaml: expected a readable file, got \"No such file or directory\"; check the path");
}

TEST_F(ConfigFile, LoadsEveryFileOfConfigsUnderItsNameAndBackFromItsText) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SAMEBITS_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path());
    const Config config = load_config(entry.path().string(), {});
    EXPECT_EQ(config.name, entry.path().stem());
    EXPECT_NO_THROW(config.qat.qconfig.check());
    EXPECT_EQ(load(to_yaml(config)), config) << to_yaml(config);
    ++files;
  }
  EXPECT_GE(files, 3);
}

std::string read_docs() {
  std::ifstream stream(SAMEBITS_SOURCE_DIR "/docs/reference/configuration.md");
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

TEST_F(ConfigFile, TheExampleOfTheDocsLoads) {
  const std::string docs = read_docs(), fence = "```yaml\n";
  const std::size_t begin = docs.find(fence) + fence.size();
  const Config config = load(docs.substr(begin, docs.find("```", begin) - begin));
  EXPECT_EQ(config.qat.qconfig.layer("fc1").weight.group_size, 32);
  EXPECT_EQ(config.qat.qconfig.layer("fc2").weight.bits, 8);
}

// SAMEBITS_UPDATE_DOCS=1 writes them instead.
TEST_F(ConfigFile, TheTablesOfTheDocsAreThoseOfTheKeys) {
  const std::string docs = read_docs(), first = "<!-- keys -->\n", last = "<!-- end of keys -->";
  const std::size_t begin = docs.find(first) + first.size(), end = docs.find(last);
  ASSERT_NE(end, std::string::npos);
  if (std::getenv("SAMEBITS_UPDATE_DOCS") != nullptr)
    std::ofstream(SAMEBITS_SOURCE_DIR "/docs/reference/configuration.md")
        << docs.substr(0, begin) << config_reference() << docs.substr(end);
  else
    EXPECT_EQ(docs.substr(begin, end - begin), config_reference());
}

// Where every key that is written has a row, and nothing else has one.
TEST_F(ConfigFile, EveryKeyThatIsWrittenHasARow) {
  const std::string tables = config_reference();
  const std::function<void(YamlValue)> expect_rows = [&](YamlValue map) {
    for (const std::string& key : map.keys()) {
      const YamlValue value = map.at(key);
      const bool is_inherited = value.path() == "qat.optimizer";
      const std::string row = is_inherited ? "qat.optimizer.*" : value.path();
      if (value.is_map() && !is_inherited && row != "qat.layers")
        expect_rows(value);
      else
        EXPECT_NE(tables.find("\n| `" + row + "` |"), std::string::npos) << row;
    }
  };
  for (const char* optimizer : {"adamw", "sgd"}) {
    Config config = load("name: a\nqat: {weight: {group_size: 32, bits: 4}}\n");
    config.train.optimizer.name = optimizer;
    expect_rows(YamlValue::parse(to_yaml(config), "resolved.yaml"));
  }
  RandomConfig random(11);
  for (int i = 0; i < 50; ++i) expect_rows(YamlValue::parse(to_yaml(random.draw()), "resolved.yaml"));
}

TEST_F(ConfigFile, EveryConfigIsReadBackEqualFromItsText) {
  RandomConfig random(7);
  for (int i = 0; i < 500; ++i) {
    const Config config = random.draw();
    const std::string text = to_yaml(config);
    ASSERT_EQ(load(text), config) << text;
  }
}

}  // namespace
}  // namespace samebits::training
