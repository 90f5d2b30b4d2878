// The keys of a run, each named once (torch_ext/config/fields.h).
#include "training/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "torch_ext/config/field_reader.h"
#include "torch_ext/config/field_table.h"
#include "torch_ext/config/field_writer.h"
#include "torch_ext/config/qconfig_fields.h"
#include "training/models/names.h"
#include "training/tasks/choices.h"

namespace samebits::training {
namespace {

struct KeyPath {
  std::string map, name;
};
struct Mismatch {
  std::string expected, got, hint = {};
};

std::vector<std::string> with_auto(std::vector<std::string> names) {
  names.insert(names.begin(), "auto");
  return names;
}

constexpr std::int64_t kLargestLayer = 65536;  // channels or features
constexpr std::size_t kMostLayers = 64;        // that one key can name
constexpr std::int64_t kLargestPadding = 28;   // pixels
constexpr std::int64_t kLargestImage = 8192, kLongestSequence = 65536;
// What no machine can use, or no run would end with.
constexpr std::int64_t kMostThreads = 1024, kMostEpochs = 1'000'000, kMostSteps = 1'000'000'000,
                       kMostImages = std::int64_t{1} << 32;

/// The keys that earlier versions wrote in the place of `idx`.
void read_former_data(FieldReader& reader, DataConfig& data) {
  if (data.source != "idx") return;
  if (reader.names("root") && reader.names("idx")) reader.fail_at("root", "no root beside idx", "remove it");
  reader.text("root", data.path, "");
  reader.constant("name", "fashion_mnist", "name data by idx, images, npy, csv, text or library");
}

const KeyMeanings kSources = {
    {"idx", "the folder of IDX files as MNIST has them, gzipped or plain"},
    {"images", "a folder of images, a folder a class in it"},
    {"npy", "the folder of `x.npy` and `y.npy`"},
    {"csv", "a table of numbers, with the target among its columns"},
    {"text", "a text whose next byte is to be told"},
    {"library", "a plug-in with a data set; of these six keys one may stand"},
};

template <class Visitor, class Part>
void visit_source(Visitor& visitor, Part& data) {
  visitor.one_of(data.source, data.path, kSources);
  if constexpr (kReads<Visitor>) read_former_data(visitor, data);
  const auto only = [&](const std::string& source, const auto& fields) {
    const bool is_former = kReads<Visitor> && source == "library" && data.source == "idx";  // read above
    if (!is_former)
      visitor.when(data.source == source, "with data " + data.source, "only with `" + source + "`", fields);
  };
  only("library",
       [&](auto& inner) { inner.optional_text("name", data.name, "the data set of the plug-in"); });
  only("idx", [&](auto& inner) {
    inner.integer("classes", data.classes, between(2, 256), "labels are below this");
  });
  only("images", [&](auto& inner) {
    inner.integer("size", data.size, at_least(0, kLargestImage),
                  "height and width that each image must have; 0: those of the first one");
    inner.member("channels", data.channels, {"1", "3"}, "1: grey, 3: colour, the default");
  });
  only("csv", [&](auto& inner) {
    inner.texts("target", data.target, "the columns to tell; without it the last one");
    inner.flag("header", data.header,
               "the first row names the columns; without, their names are `1`, `2`, …");
  });
  only("text", [&](auto& inner) {
    inner.integer("sequence", data.sequence, between(2, kLongestSequence), "tokens, bytes, of an example");
  });
}

template <class Visitor, class Part>
void visit_data(Visitor& visitor, Part& data) {
  visit_source(visitor, data);
  visitor.number("test_fraction", data.test_fraction, NumberRange{kAboveZero, kBelowOne},
                 "of the whole, to test with, where the data have no test part");
  visitor.number("validation_fraction", data.validation_fraction, NumberRange{0, kBelowOne},
                 "of the rest, to look at after each epoch, where the data have no validation part");
  visitor.integer("split_seed", data.split_seed, at_least(0, kAnyInteger), "which examples these are");
  visitor.integer("batch_size", data.batch_size, at_least(1, kMostSteps), "examples of a step");
  visitor.integer("train_limit", data.train_limit, at_least(0, kMostImages),
                  "use the first N training examples; 0: all");
  visitor.integer("test_limit", data.test_limit, at_least(0, kMostImages),
                  "use the first N test examples; 0: all");
  const bool may_augment = data.source != "csv" && data.source != "text";
  visitor.when(may_augment, "with data " + data.source, "images only", [&](auto& images) {
    images.map("augment", MapText{}, [&](auto& augment) {
      augment.flag("flip", data.augment.flip, "mirror a training image with probability 1/2");
      augment.integer("crop_padding", data.augment.crop_padding, between(0, kLargestPadding),
                      "pixels of zeros around a training image before a random crop back to its size");
    });
  });
}

template <class Visitor, class Part>
void visit_task(Visitor& visitor, Part& task) {
  visitor.choice(
      "loss", task.loss, with_auto(loss_names()),
      "what training minimizes; `auto`: `next_token` for text, `cross_entropy` for classes, `mse` for "
      "real targets");
  visitor.choice("metric", task.metric, with_auto(metric_names()),
                 "what is reported; `auto`: `bits_per_byte`, `accuracy`, `mse`");
}

template <class Visitor, class Part>
void visit_sizes(Visitor& visitor, Part& model) {
  const auto only = [&](const std::vector<std::string>& names, const auto& fields) {
    const bool holds = model.is_built_in() && std::count(names.begin(), names.end(), model.name) > 0;
    const std::string reason = !model.library.empty() ? "with a library"
                               : !model.pt2.empty()   ? "with a pt2 archive"
                                                      : "with model " + model.name;
    std::string documented;
    for (const std::string& name : names)
      documented += (documented.empty() ? "only with `" : ", `") + name + "`";
    visitor.when(holds, reason, documented, fields);
  };
  only({"cnn"}, [&](auto& cnn) {
    cnn.sizes("channels", model.channels, kLargestLayer, kMostLayers,
              "output channels of `conv1`, `conv2`, …");
  });
  only({"cnn", "mlp"}, [&](auto& inner) {
    inner.sizes("hidden", model.hidden, kLargestLayer, kMostLayers,
                "output features of `fc1`, `fc2`, …; the last linear layer, to the classes, follows them");
  });
  only({"resnet20", "mobilenet", "lstm", "gru", "transformer", "gpt"}, [&](auto& inner) {
    inner.integer("width", model.width, at_least(0, kLargestLayer),
                  "channels of the first stage, or features of a token; 0: 16 and 128");
    inner.integer("depth", model.depth, at_least(0, static_cast<std::int64_t>(kMostLayers)),
                  "layers, or blocks of a stage; 0: `resnet20` 3, `lstm` and `gru` 1, others 2");
  });
  only({"transformer", "gpt"}, [&](auto& inner) {
    inner.integer("heads", model.heads, between(1, 256), "of attention, a divisor of `width`");
  });
}

template <class Visitor, class Part>
void visit_model(Visitor& visitor, Part& model) {
  visitor.optional_text("library", model.library, "a plug-in ([own data and models](../guides/own_data.md))");
  visitor.when(model.library.empty(), "with a library", "", [&](auto& inner) {
    inner.optional_text(
        "pt2", model.pt2,
        "an archive of `torch.export.save` ([a model from Python](../guides/python_model.md))");
  });
  visitor.when(model.pt2.empty(), "with a pt2 archive", "", [&](auto& inner) {
    if (model.library.empty())
      inner.choice("name", model.name, model_names(), "a built-in model, or the one of `library`");
    else
      inner.text("name", model.name, "");
  });
  visit_sizes(visitor, model);
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

/// What train and qat share besides the number of epochs. `optimizer` and `schedule` say what the maps of
/// these names inherit.
template <class Visitor, class Part>
void visit_phase(Visitor& visitor, Part& phase, const MapText& optimizer, const std::string& schedule) {
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
  visitor.integer("epochs", qat.epochs, at_least(0, kMostEpochs),
                  "passes over the training examples; 0: the run trains in float, and exports nothing");
  visit_phase(
      visitor, qat,
      {.inherits_from = "train.optimizer", .inherited = "those of `train.optimizer`; `lr`: a fifth of its"},
      "; default: that of `train.schedule`");
  visitor.number(
      "scale_lr", qat.scale_lr, NumberRange{kAboveZero},
      "learning rate of what an `estimator` trains of grids, in parts of `optimizer.lr`; without weight "
      "decay");
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
  visitor.optional_text(
      "init", config.init,
      "weights to begin with: a safetensors file of the model's parameters and buffers by name, or a "
      "checkpoint; without, they are drawn");
  visitor.map("data", {.title = "## `data`"}, [&](auto& data) { visit_data(data, config.data); });
  visitor.map("task", {.title = "## `task`"}, [&](auto& task) { visit_task(task, config.task); });
  visitor.map("model", {.title = "## `model`"}, [&](auto& model) { visit_model(model, config.model); });
  visitor.map("train", {.title = "## `train`: the float training"}, [&](auto& train) {
    train.integer(
        "epochs", config.train.epochs, at_least(0, kMostEpochs),
        "passes over the training examples; 0: the weights are those of `init` or of the archive as they "
        "are, for QAT, or for `samebits ptq`");
    visit_phase(train, config.train, MapText{}, "");
  });
  if constexpr (kReads<Visitor>) inherit(config.qat, config.train);
  visitor.map("qat", {.title = "## `qat`: the quantization-aware training that follows"},
              [&](auto& qat) { visit_qat(qat, config.qat); });
  visitor.when(config.qat.epochs > 0, "with qat.epochs 0", "", [&](auto& inner) {
    inner.choices("export", config.exports, {"package", "onnx"}, "the formats to write and to verify");
  });
}

/// What two maps must agree on: the error stands at the key if the file has it.
[[noreturn]] void fail_together(YamlValue document, const std::string& file, const KeyPath& key,
                                const Mismatch& wrong) {
  if (document.has(key.map) && document.at(key.map).is_map() && document.at(key.map).has(key.name))
    document.at(key.map).at(key.name).fail(wrong.expected, wrong.hint);
  throw ConfigError("[config] " + file + ": " + key.map + "." + key.name + ": expected " + wrong.expected +
                    ", got " + wrong.got + (wrong.hint.empty() ? "" : "; " + wrong.hint));
}

void check_together(const YamlValue& document, const std::string& file, const Config& config) {
  const auto fail = [&](const KeyPath& key, const Mismatch& wrong) {
    fail_together(document, file, key, wrong);
  };
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::count(names.begin(), names.end(), name) > 0;
  };
  const TaskConfig& task = config.task;
  const std::vector<std::string> losses = losses_of(config.data.source);
  if (task.loss != "auto" && !has(losses, task.loss))
    fail({"task", "loss"}, {alternatives(losses) + " with data " + config.data.source, task.loss});
  const std::string loss = task.loss == "auto" && losses.size() == 1 ? losses[0] : task.loss;
  if (task.metric != "auto" && loss != "auto" && !has(metrics_of(loss), task.metric))
    fail({"task", "metric"}, {alternatives(metrics_of(loss)) + " with loss " + loss, task.metric});
  const ModelConfig& model = config.model;
  if (config.train.epochs == 0 && config.init.empty() && model.pt2.empty())
    fail({"train", "epochs"},
         {"an integer >= 1 for weights that are drawn", "0", "name the file of trained ones as init"});
  if (!model.is_built_in()) return;
  const std::vector<std::string> models = models_for(config.data.source);
  if (!has(models, model.name))
    fail({"model", "name"}, {alternatives(models) + " with data " + config.data.source, model.name});
  const std::int64_t width = model.width == 0 ? kOwnWidth : model.width;
  if ((model.name == "transformer" || model.name == "gpt") && width % model.heads != 0)
    fail({"model", "heads"},
         {"a divisor of the width " + std::to_string(width), std::to_string(model.heads)});
}

}  // namespace

Config load_config(const std::string& file, const std::vector<std::string>& assignments) {
  YamlValue document = YamlValue::load(file);
  for (const std::string& assignment : assignments) document.set(assignment);
  Config config;
  FieldReader reader(document);
  visit_config(reader, config);
  reader.finish();
  check_together(document, file, config);
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
