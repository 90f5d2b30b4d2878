// One training run as a YAML file describes it. docs/reference/configuration.md lists every key; configs/ has
// examples.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "torch_ext/config/qconfig.h"
#include "torch_ext/config/yaml_reader.h"

namespace samebits::training {

struct AugmentConfig {
  bool flip = false;              // mirror an image with probability 1/2
  std::int64_t crop_padding = 0;  // pixels of zeros around an image before a random crop to its size
  friend bool operator==(const AugmentConfig&, const AugmentConfig&) = default;
};

/// What is learned from, and how it is cut in parts. docs/guides/own_data.md has each source's form.
struct DataConfig {
  std::string source = "idx";  // the key that stands in YAML: idx, images, npy, csv, text or library
  std::string path = "/usr/share/datasets/fashion-mnist";  // its value
  std::string name;                                        // library: of its data set
  std::int64_t classes = 10;                               // idx
  std::int64_t size = 0;                                   // images: height and width; 0: as they are
  std::int64_t channels = 3;                               // images: 1 or 3
  std::vector<std::string> target;                         // csv: its columns; empty: the last one
  bool header = true;                                      // csv
  std::int64_t sequence = 64;                              // text: tokens of an example
  double test_fraction = 0.2;                              // of the whole, where no test part is there
  double validation_fraction = 0;                          // of the rest, where no validation part is there
  std::uint64_t split_seed = 0;                            // < 2^63
  std::int64_t batch_size = 256;
  std::int64_t train_limit = 0, test_limit = 0;  // the first N examples; 0: all
  AugmentConfig augment;                         // of training images
  friend bool operator==(const DataConfig&, const DataConfig&) = default;
};

/// What is learned. "auto": what the data ask for (tasks/choices.h).
struct TaskConfig {
  std::string loss = "auto";    // auto | cross_entropy | mse | bce | next_token
  std::string metric = "auto";  // auto | accuracy | top5 | mse | perplexity | bits_per_byte
  friend bool operator==(const TaskConfig&, const TaskConfig&) = default;
};

struct ModelConfig {
  std::string name = "cnn";                       // of models/names.h; library: of its model
  std::string library;                            // the file of a plug-in; empty: another model
  std::string pt2;                                // an archive of torch.export; empty: another model
  std::vector<std::int64_t> channels = {32, 64};  // cnn: of conv1, conv2, …
  std::vector<std::int64_t> hidden = {256};       // cnn, mlp: features of fc1, fc2, … before the classifier
  std::int64_t width = 0, depth = 0;              // of the others; 0: the model's own
  std::int64_t heads = 4;                         // transformer, gpt
  bool is_built_in() const { return library.empty() && pt2.empty(); }
  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

struct OptimizerConfig {
  std::string name = "adamw";  // adamw | sgd
  double lr = 1e-3;
  double weight_decay = 0.0;
  double momentum = 0.9;              // sgd
  double beta1 = 0.9, beta2 = 0.999;  // adamw
  friend bool operator==(const OptimizerConfig&, const OptimizerConfig&) = default;
};

struct ScheduleConfig {
  std::string name = "cosine";    // cosine | constant
  std::int64_t warmup_steps = 0;  // optimizer steps from 0 to lr
  friend bool operator==(const ScheduleConfig&, const ScheduleConfig&) = default;
};

/// The float training.
struct TrainConfig {
  std::int64_t epochs = 6;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  friend bool operator==(const TrainConfig&, const TrainConfig&) = default;
};

/// The quantization-aware training that follows it.
struct QatConfig {
  std::int64_t epochs = 2;                 // 0: the run trains in float alone, and exports nothing
  OptimizerConfig optimizer{.lr = 2e-4};   // in YAML, what is not named comes from train.optimizer, lr / 5
  ScheduleConfig schedule;                 // in YAML, the name comes from train.schedule
  double scale_lr = 1;                     // learning rate of trained scales, in parts of the optimizer's
  std::int64_t observe_steps = 200;        // steps in float, while ranges are observed
  double freeze_at = 0.75;                 // fraction of the steps after which activation scales stay
  double freeze_bn_at = 0.5;               // fraction after which batch norms keep their statistics
  std::int64_t bn_reestimate_batches = 0;  // that make statistics anew before an evaluation; 0: none do
  std::int64_t calibration_batches = 16;   // of post-training quantization, the report's comparison
  QConfig qconfig;                         // the keys weight, activation, skip, layers
  friend bool operator==(const QatConfig&, const QatConfig&) = default;
};

struct Config {
  std::string name;                   // of the run and its folder
  std::uint64_t seed = 0;             // < 2^63
  std::int64_t threads = 0;           // 0: all cores
  std::int64_t checkpoint_every = 0;  // steps between checkpoints within an epoch; 0: at epoch ends only
  std::string output = "runs";        // the folder that holds the runs
  std::string init;                   // weights to begin with, a safetensors file; empty: drawn
  DataConfig data;
  TaskConfig task;
  ModelConfig model;
  TrainConfig train;
  QatConfig qat;
  std::vector<std::string> exports = {"package", "onnx"};  // key: export
  friend bool operator==(const Config&, const Config&) = default;
};

/// Reads `file` and then applies `assignments` ("a.b=c", as after --set) in order. Throws ConfigError on
/// anything that is unknown, misplaced or out of range.
Config load_config(const std::string& file, const std::vector<std::string>& assignments);

/// All of `config` as YAML. load_config() of it gives an equal Config, provided that fields which the chosen
/// names do not use (mlp: channels; adamw: momentum; csv: size) hold what load_config() leaves there.
std::string to_yaml(const Config& config);

/// The tables of docs/reference/configuration.md: every key with its type, range, default and meaning.
std::string config_reference();

}  // namespace samebits::training
