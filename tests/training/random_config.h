// Configs of any content, for tests that hold for all of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "training/config.h"

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
    c.data = {.name = "fashion_mnist",
              .root = text(),
              .batch_size = 1 + below(512),
              .train_limit = below(100),
              .test_limit = below(100),
              .augment = {.flip = below(2) == 0, .crop_padding = below(29)}};
    c.model.name = pick({"cnn", "mlp"});
    if (c.model.name == "cnn") c.model.channels = sizes();
    c.model.hidden = sizes();
    c.train.epochs = 1 + below(100);
    c.train.optimizer = optimizer(OptimizerConfig());
    c.train.schedule = schedule();
    c.qat.epochs = 1 + below(100);
    c.qat.optimizer = optimizer(c.train.optimizer);
    c.qat.schedule = schedule();
    c.qat.observe_steps = 1 + below(1000);
    c.qat.freeze_at = fraction();
    c.qat.freeze_bn_at = fraction();
    c.qat.bn_reestimate_batches = below(100);
    c.qat.calibration_batches = 1 + below(100);
    c.qat.qconfig.defaults.weight.bits = 2 + static_cast<int>(below(7));
    c.qat.qconfig.defaults.activation.averaging = 1 - fraction();
    c.qat.qconfig.layers = {{text(), {}}};
    if (below(2) == 0) c.exports = {pick({"package", "onnx"})};
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
  ScheduleConfig schedule() { return {.name = pick({"cosine", "constant"}), .warmup_steps = below(500)}; }

  std::mt19937_64 random_;
};

}  // namespace samebits::training
