// Configs of any content, for tests that hold for all of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "training/config.h"
#include "training/models/names.h"
#include "training/tasks/choices.h"

namespace samebits::training {

/// Draws Configs that load_config() can give: fields that the chosen names do not use are as it leaves them.
class RandomConfig {
 public:
  explicit RandomConfig(std::uint64_t seed) : random_(seed) {}

  Config draw() {
    Config c;
    c.name = "run" + std::to_string(below(1000)) + pick({"", ".a", "_B", "-c"});
    c.seed = random_() >> 1;
    c.threads = below(9);
    c.checkpoint_every = below(1000);
    c.output = text();
    if (below(2) == 0) c.init = text();
    c.data = data();
    c.model = model(c.data.source);
    c.train.epochs = 1 + below(100);
    c.train.optimizer = optimizer(OptimizerConfig());
    c.train.schedule = schedule();
    c.qat.epochs = 1 + below(100);
    c.qat.optimizer = optimizer(c.train.optimizer);
    c.qat.schedule = schedule();
    c.qat.scale_lr = std::exp(-10 * fraction());
    c.qat.observe_steps = 1 + below(1000);
    c.qat.freeze_at = fraction();
    c.qat.freeze_bn_at = fraction();
    c.qat.bn_reestimate_batches = below(100);
    c.qat.calibration_batches = 1 + below(100);
    c.qat.qconfig.defaults.weight.bits = 2 + static_cast<int>(below(7));
    c.qat.qconfig.defaults.activation.averaging = 1 - fraction();
    c.qat.qconfig.layers = {{text(), {}}};
    if (below(4) == 0) c.qat.epochs = 0;
    if (c.qat.epochs > 0 && below(2) == 0) c.exports = {pick({"package", "onnx"})};
    c.task = task(c.data.source);
    return c;
  }

 private:
  std::int64_t below(std::uint64_t n) { return static_cast<std::int64_t>(random_() % n); }
  double fraction() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  std::string pick(const std::vector<std::string>& names) {
    return names[static_cast<std::size_t>(below(names.size()))];
  }
  // Text that YAML would read otherwise if it were written bare.
  std::string text() {
    static const std::string kAlphabet = "ab0~:#-?,[]{}&*!|>'\"%@`\\ \t\n.=é";
    std::string result(1 + static_cast<std::size_t>(below(6)), ' ');
    for (char& c : result) c = kAlphabet[static_cast<std::size_t>(below(kAlphabet.size() - 2))];
    return pick({result, result, result + "é", "true", "null", "1e3", "-", "---", "runs"});
  }
  std::vector<std::int64_t> sizes() {
    std::vector<std::int64_t> result(1 + static_cast<std::size_t>(below(4)));
    for (std::int64_t& size : result) size = 1 + below(65536);
    return result;
  }
  OptimizerConfig optimizer(const OptimizerConfig& inherited) {
    OptimizerConfig o = inherited;
    o.name = pick({"adamw", "sgd"});
    o.lr = std::exp(-40 * fraction());
    o.weight_decay = fraction();
    if (o.name == "sgd") {
      o.momentum = fraction();
    } else {
      o.beta1 = fraction();
      o.beta2 = fraction();
    }
    return o;
  }
  DataConfig data() {
    DataConfig d{.source = pick({"idx", "images", "npy", "csv", "text", "library"}), .path = text()};
    if (d.source == "idx") d.classes = 2 + below(255);
    if (d.source == "images") {
      d.size = below(100);
      d.channels = 1 + 2 * below(2);
    }
    if (d.source == "csv") {
      for (std::int64_t i = below(3); i > 0; --i) d.target.push_back(text());
      d.header = below(2) == 0;
    }
    if (d.source == "text") d.sequence = 2 + below(100);
    if (d.source == "library") d.name = text();
    d.test_fraction = 0.001 + 0.99 * fraction();
    d.validation_fraction = fraction();
    d.split_seed = random_() >> 1;
    d.batch_size = 1 + below(512);
    d.train_limit = below(100);
    d.test_limit = below(100);
    if (d.source != "csv" && d.source != "text")
      d.augment = {.flip = below(2) == 0, .crop_padding = below(29)};
    return d;
  }
  TaskConfig task(const std::string& source) {
    if (below(2) == 0) return {};
    const std::string loss = pick(losses_of(source));
    return {.loss = loss, .metric = below(2) == 0 ? "auto" : pick(metrics_of(loss))};
  }
  ModelConfig model(const std::string& source) {
    ModelConfig m;
    if (below(5) == 0) {
      m.library = text();
      m.name = text();
      return m;
    }
    if (below(8) == 0) {
      m.pt2 = text();
      return m;
    }
    m.name = pick(models_for(source));
    if (m.name == "cnn") m.channels = sizes();
    if (m.name == "cnn" || m.name == "mlp") {
      m.hidden = sizes();
      return m;
    }
    m.depth = below(65);
    m.heads = m.name == "transformer" || m.name == "gpt" ? 1 + below(256) : 4;
    m.width = m.heads * (1 + below(200));
    return m;
  }
  ScheduleConfig schedule() { return {.name = pick({"cosine", "constant"}), .warmup_steps = below(500)}; }

  std::mt19937_64 random_;
};

}  // namespace samebits::training
