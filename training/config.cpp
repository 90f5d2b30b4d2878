// The keys of a run, each named once (torch_ext/config/fields.h).
#include "training/config.h"

#include <yaml-cpp/yaml.h>

#include "torch_ext/config/field_reader.h"
#include "torch_ext/config/field_table.h"
#include "torch_ext/config/field_writer.h"
#include "torch_ext/config/qconfig_fields.h"
#include "training/models/names.h"

namespace samebits::training {
namespace {

constexpr std::int64_t kLargestLayer = 65536;  // channels or features
constexpr std::size_t kMostLayers = 64;        // that one key can name
constexpr std::int64_t kLargestPadding = 28;   // pixels: an image's width
// What no machine can use, or no run would end with.
constexpr std::int64_t kMostThreads = 1024, kMostEpochs = 1'000'000, kMostSteps = 1'000'000'000,
                       kMostImages = std::int64_t{1} << 32;

std::vector<std::string> model_names() {
  return {kModelNames.begin(), kModelNames.end()};
}

template <class Visitor, class Part>
void visit_data(Visitor& visitor, Part& data) {
  visitor.choice("name", data.name, {"fashion_mnist"},
                 "60,000 training and 10,000 test images of 28x28 pixels, 10 classes");
  visitor.text("root", data.root, "the folder of the IDX files, gzipped or plain");
  visitor.integer("batch_size", data.batch_size, at_least(1, kMostSteps), "images of a step");
  visitor.integer("train_limit", data.train_limit, at_least(0, kMostImages),
                  "use the first N training images; 0: all");
  visitor.integer("test_limit", data.test_limit, at_least(0, kMostImages),
                  "use the first N test images; 0: all");
  visitor.map("augment", MapText{}, [&](auto& augment) {
    augment.flag("flip", data.augment.flip, "mirror a training image with probability 1/2");
    augment.integer("crop_padding", data.augment.crop_padding, between(0, kLargestPadding),
                    "pixels of zeros around a training image before a random crop back to its size");
  });
}

template <class Visitor, class Part>
void visit_model(Visitor& visitor, Part& model) {
  visitor.choice("name", model.name, model_names(),
                 "layers `conv1`, `conv2`, …, `fc1`, `fc2`, …; or `fc1`, `fc2`, …");
  visitor.when(model.name == "cnn", "with model " + model.name, "only with `cnn`", [&](auto& cnn) {
    cnn.sizes("channels", model.channels, kLargestLayer, kMostLayers,
              "output channels of `conv1`, `conv2`, …");
  });
  visitor.sizes("hidden", model.hidden, kLargestLayer, kMostLayers,
                "output features of `fc1`, `fc2`, …; the last linear layer, to the classes, follows them");
}

template <class Visitor, class Part>
void visit_optimizer(Visitor& visitor, Part& optimizer) {
  visitor.choice("name", optimizer.name, {"adamw", "sgd"}, "");
  visitor.number("lr", optimizer.lr, NumberRange{kAboveZero}, "largest learning rate");
  visitor.number("weight_decay", optimizer.weight_decay, NumberRange{0}, "");
  visitor.when(optimizer.name == "adamw", "with optimizer " + optimizer.name, "only with `adamw`",
               [&](auto& adamw) {
                 adamw.number("beta1", optimizer.beta1, NumberRange{0, kBelowOne}, "");
                 adamw.number("beta2", optimizer.beta2, NumberRange{0, kBelowOne}, "");
               });
  visitor.when(optimizer.name == "sgd", "with optimizer " + optimizer.name, "only with `sgd`",
               [&](auto& sgd) {
                 sgd.number("momentum", optimizer.momentum, NumberRange{0, kBelowOne}, "");
               });
}

/// What train and qat share. `optimizer` and `schedule` say what the maps of these names inherit.
template <class Visitor, class Part>
void visit_phase(Visitor& visitor, Part& phase, const MapText& optimizer, const std::string& schedule) {
  visitor.integer("epochs", phase.epochs, at_least(1, kMostEpochs), "passes over the training images");
  visitor.map("optimizer", optimizer, [&](auto& inner) { visit_optimizer(inner, phase.optimizer); });
  visitor.map("schedule", MapText{}, [&](auto& inner) {
    inner.choice("name", phase.schedule.name, {"cosine", "constant"},
                 "the learning rate after the warm-up" + schedule);
    inner.integer("warmup_steps", phase.schedule.warmup_steps, at_least(0, kMostSteps),
                  "steps in which the learning rate grows to `lr`");
  });
}

template <class Visitor, class Part>
void visit_qat(Visitor& visitor, Part& qat) {
  visit_phase(
      visitor, qat,
      {.inherits_from = "train.optimizer", .inherited = "those of `train.optimizer`; `lr`: a fifth of its"},
      "; default: that of `train.schedule`");
  visitor.integer("observe_steps", qat.observe_steps, at_least(1, kMostSteps),
                  "steps in float at the start, while activation ranges are observed");
  visitor.number("freeze_at", qat.freeze_at, NumberRange{0, 1},
                 "fraction of the steps after which activation scales stay");
  visitor.number("freeze_bn_at", qat.freeze_bn_at, NumberRange{0, 1},
                 "fraction of the steps after which batch norms of layers keep their statistics, not before "
                 "`observe_steps`; training computes from there on what ships");
  visitor.integer("bn_reestimate_batches", qat.bn_reestimate_batches, at_least(0, kMostSteps),
                  "training batches over which statistics are averaged anew, on the layers as they are "
                  "quantized, before each evaluation and when they are frozen; 0: none");
  visitor.integer("calibration_batches", qat.calibration_batches, at_least(1, kMostSteps),
                  "training batches that calibrate the post-training quantization of the report");
  visit_qconfig(visitor, qat.qconfig);
}

void inherit(QatConfig& qat, const TrainConfig& train) {
  qat.optimizer = train.optimizer;
  qat.optimizer.lr = train.optimizer.lr / 5;
  qat.schedule.name = train.schedule.name;
}

template <class Visitor, class Part>
void visit_config(Visitor& visitor, Part& config) {
  visitor.folder_name("name", config.name, "the run, and its folder `<output>/<name>`");
  visitor.integer("seed", config.seed, at_least(0, kAnyInteger),
                  "of initial weights, shuffling and augmentation");
  visitor.integer("threads", config.threads, at_least(0, kMostThreads), "CPU threads; 0: all cores");
  visitor.integer("checkpoint_every", config.checkpoint_every, at_least(0, kMostSteps),
                  "optimizer steps between checkpoints within an epoch; 0: at epoch ends only");
  visitor.text("output", config.output, "the folder that holds the runs");
  visitor.map("data", {.title = "## `data`"}, [&](auto& data) { visit_data(data, config.data); });
  visitor.map("model", {.title = "## `model`"}, [&](auto& model) { visit_model(model, config.model); });
  visitor.map("train", {.title = "## `train`: the float training"},
              [&](auto& train) { visit_phase(train, config.train, MapText{}, ""); });
  if constexpr (kReads<Visitor>) inherit(config.qat, config.train);
  visitor.map("qat", {.title = "## `qat`: the quantization-aware training that follows"},
              [&](auto& qat) { visit_qat(qat, config.qat); });
  visitor.choices("export", config.exports, {"package", "onnx"}, "the formats to write and to verify");
}

}  // namespace

Config load_config(const std::string& file, const std::vector<std::string>& assignments) {
  YamlValue document = YamlValue::load(file);
  for (const std::string& assignment : assignments) document.set(assignment);
  Config config;
  FieldReader reader(document);
  visit_config(reader, config);
  reader.finish();
  return config;
}

std::string to_yaml(const Config& config) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  FieldWriter writer(out);
  visit_config(writer, config);
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

std::string config_reference() {
  const Config defaults;
  FieldTable table("## The run");
  visit_config(table, defaults);
  return table.text();
}

}  // namespace samebits::training
