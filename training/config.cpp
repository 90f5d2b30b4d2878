// Every key is written once, in a visit() below, with its range: Reader walks it to fill a Config, Writer to
// print one. So a key that is read is also written.
#include "training/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <type_traits>

#include "torch_ext/config/qconfig_yaml.h"

namespace samebits::training {
namespace {

/// Fills fields from a map; keys that are missing leave their field as it is.
class Reader {
 public:
  explicit Reader(YamlValue map) : map_(std::move(map)) {}

  void text(const std::string& key, std::string& field) {
    if (!map_.has(key)) return;
    const YamlValue value = map_.at(key);
    field = value.text();
    if (field.empty()) value.fail("a text that is not empty");
  }
  void choice(const std::string& key, std::string& field, const std::vector<std::string>& names) {
    if (map_.has(key)) field = map_.at(key).choice(names);
  }
  void flag(const std::string& key, bool& field) {
    if (map_.has(key)) field = map_.at(key).boolean();
  }
  template <typename Integer>
  void integer(const std::string& key, Integer& field, std::int64_t low, std::int64_t high = kAnyInteger) {
    if (map_.has(key)) field = static_cast<Integer>(map_.at(key).integer(low, high));
  }
  void number(const std::string& key, double& field, double low, double high = kAnyNumber) {
    if (map_.has(key)) field = map_.at(key).number(low, high);
  }
  /// One size, or a list of at least one.
  void sizes(const std::string& key, std::vector<std::int64_t>& field, std::int64_t high) {
    if (!map_.has(key)) return;
    const YamlValue value = map_.at(key);
    const std::vector<YamlValue> items = value.is_list() ? value.items() : std::vector{value};
    if (items.empty()) value.fail("at least one size", "for example [64]");
    field.clear();
    for (const YamlValue& item : items) field.push_back(item.integer(1, high));
  }
  /// A list of at least one of `names`, each once.
  void choices(const std::string& key, std::vector<std::string>& field,
               const std::vector<std::string>& names) {
    if (!map_.has(key)) return;
    const YamlValue value = map_.at(key);
    field.clear();
    for (const YamlValue& item : value.items()) {
      field.push_back(item.choice(names));
      if (std::count(field.begin(), field.end(), field.back()) > 1) item.fail("each name once");
    }
    if (field.empty()) value.fail("at least one of " + alternatives(names));
  }
  /// A key that another key's value rules out.
  void unused(const std::string& key, const std::string& reason) {
    if (map_.has(key)) map_.at(key).fail("no " + key + " " + reason, "remove the key");
  }
  template <typename Fields>
  void map(const std::string& key, const Fields& fields) {
    if (!map_.has(key)) return;
    Reader reader(map_.at(key));
    fields(reader);
    reader.map_.finish();
  }
  void qconfig(QConfig& field) { field = read_qconfig(map_); }
  void finish() const { map_.finish(); }

 private:
  YamlValue map_;
};

/// Prints what Reader reads.
class Writer {
 public:
  Writer() { out_ << YAML::BeginMap; }
  std::string finish() {
    out_ << YAML::EndMap;
    return std::string(out_.c_str()) + "\n";
  }

  void text(const std::string& key, const std::string& field) { pair(key, field); }
  void choice(const std::string& key, const std::string& field, const std::vector<std::string>&) {
    pair(key, field);
  }
  void flag(const std::string& key, bool field) { pair(key, field); }
  template <typename Integer>
  void integer(const std::string& key, Integer field, std::int64_t, std::int64_t = 0) {
    pair(key, field);
  }
  void number(const std::string& key, double field, double, double = 0) { pair(key, number_text(field)); }
  void sizes(const std::string& key, const std::vector<std::int64_t>& field, std::int64_t) {
    out_ << YAML::Key << key << YAML::Value << YAML::Flow << field;
  }
  void choices(const std::string& key, const std::vector<std::string>& field,
               const std::vector<std::string>&) {
    out_ << YAML::Key << key << YAML::Value << YAML::Flow << field;
  }
  void unused(const std::string&, const std::string&) {}
  template <typename Fields>
  void map(const std::string& key, const Fields& fields) {
    out_ << YAML::Key << key << YAML::Value << YAML::BeginMap;
    fields(*this);
    out_ << YAML::EndMap;
  }
  void qconfig(const QConfig& field) { write_qconfig(out_, field); }

 private:
  template <typename Value>
  void pair(const std::string& key, const Value& value) {
    out_ << YAML::Key << key << YAML::Value << value;
  }
  YAML::Emitter out_;
};

// Below, Visitor is Reader with a mutable Part, or Writer with a constant one.
constexpr std::int64_t kLargestLayer = 65536;  // channels or features
constexpr std::int64_t kLargestPadding = 28;   // pixels: an image's width

template <typename Visitor, typename Part>
void visit_data(Visitor& visitor, Part& data) {
  visitor.choice("name", data.name, {"fashion_mnist"});
  visitor.text("root", data.root);
  visitor.integer("batch_size", data.batch_size, 1);
  visitor.integer("train_limit", data.train_limit, 0);
  visitor.integer("test_limit", data.test_limit, 0);
  visitor.map("augment", [&](auto& augment) {
    augment.flag("flip", data.augment.flip);
    augment.integer("crop_padding", data.augment.crop_padding, 0, kLargestPadding);
  });
}

template <typename Visitor, typename Part>
void visit_model(Visitor& visitor, Part& model) {
  visitor.choice("name", model.name, {"cnn", "mlp"});
  if (model.name == "cnn") {
    visitor.sizes("channels", model.channels, kLargestLayer);
  } else {
    visitor.unused("channels", "with model mlp");
  }
  visitor.sizes("hidden", model.hidden, kLargestLayer);
}

template <typename Visitor, typename Part>
void visit_optimizer(Visitor& visitor, Part& optimizer) {
  visitor.choice("name", optimizer.name, {"adamw", "sgd"});
  visitor.number("lr", optimizer.lr, kAboveZero);
  visitor.number("weight_decay", optimizer.weight_decay, 0);
  if (optimizer.name == "adamw") {
    visitor.number("beta1", optimizer.beta1, 0, kBelowOne);
    visitor.number("beta2", optimizer.beta2, 0, kBelowOne);
    visitor.unused("momentum", "with optimizer adamw");
  } else {
    visitor.number("momentum", optimizer.momentum, 0, kBelowOne);
    visitor.unused("beta1", "with optimizer sgd");
    visitor.unused("beta2", "with optimizer sgd");
  }
}

// What train and qat share.
template <typename Visitor, typename Part>
void visit_phase(Visitor& visitor, Part& phase) {
  visitor.integer("epochs", phase.epochs, 1);
  visitor.map("optimizer", [&](auto& optimizer) { visit_optimizer(optimizer, phase.optimizer); });
  visitor.map("schedule", [&](auto& schedule) {
    schedule.choice("name", phase.schedule.name, {"cosine", "constant"});
    schedule.integer("warmup_steps", phase.schedule.warmup_steps, 0);
  });
}

template <typename Visitor, typename Part>
void visit_qat(Visitor& visitor, Part& qat) {
  visit_phase(visitor, qat);
  visitor.integer("observe_steps", qat.observe_steps, 1);
  visitor.number("freeze_at", qat.freeze_at, 0, 1);
  visitor.integer("calibration_batches", qat.calibration_batches, 1);
  visitor.qconfig(qat.qconfig);
}

void inherit(QatConfig& qat, const TrainConfig& train) {
  qat.optimizer = train.optimizer;
  qat.optimizer.lr = train.optimizer.lr / 5;
  qat.schedule.name = train.schedule.name;
}

template <typename Visitor, typename Part>
void visit_config(Visitor& visitor, Part& config) {
  visitor.text("name", config.name);
  visitor.integer("seed", config.seed, 0);
  visitor.integer("threads", config.threads, 0);
  visitor.integer("checkpoint_every", config.checkpoint_every, 0);
  visitor.text("output", config.output);
  visitor.map("data", [&](auto& data) { visit_data(data, config.data); });
  visitor.map("model", [&](auto& model) { visit_model(model, config.model); });
  visitor.map("train", [&](auto& train) { visit_phase(train, config.train); });
  if constexpr (!std::is_const_v<Part>) inherit(config.qat, config.train);
  visitor.map("qat", [&](auto& qat) { visit_qat(qat, config.qat); });
  visitor.choices("export", config.exports, {"package", "onnx"});
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_folder_name(const std::string& name) {
  const auto is_usual = [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 100 && is_letter_or_digit(name[0]) &&
         std::all_of(name.begin(), name.end(), is_usual);
}

}  // namespace

Config load_config(const std::string& file, const std::vector<std::string>& assignments) {
  YamlValue document = YamlValue::load(file);
  for (const std::string& assignment : assignments) document.set(assignment);

  Config config;
  const YamlValue name = document.at("name");
  if (!is_folder_name(name.text()))
    name.fail("up to 100 letters, digits, \".\", \"_\" or \"-\", first a letter or a digit",
              "it names a folder");
  Reader reader(document);
  visit_config(reader, config);
  reader.finish();
  return config;
}

std::string to_yaml(const Config& config) {
  Writer writer;
  visit_config(writer, config);
  return writer.finish();
}

}  // namespace samebits::training
