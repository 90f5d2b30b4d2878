#include "training/tasks/data_task.h"

#include <torch/torch.h>

#include <algorithm>

#include "io/error.h"
#include "torch_ext/config/yaml_reader.h"
#include "training/data/augment.h"
#include "training/data/data_set.h"
#include "training/errors.h"
#include "training/models/models.h"
#include "training/tasks/choices.h"

namespace samebits::training {
namespace {

TargetKind wanted_targets(const std::string& loss) {
  if (loss == "auto") return TargetKind::kAny;
  return loss == "mse" || loss == "bce" ? TargetKind::kReals : TargetKind::kClasses;
}

void check_choice(const std::string& key, const std::vector<std::string>& able, const std::string& reason,
                  const std::string& got) {
  if (std::count(able.begin(), able.end(), got) == 0)
    throw UsageError("[task] " + key + ": expected " + alternatives(able) + " " + reason + ", got " + got);
}

Objective objective_of(const TaskConfig& config, const DataSet& data) {
  const bool is_real = data.target == TargetKind::kReals;
  const std::vector<std::string> losses = data.is_tokens ? std::vector<std::string>{"next_token"}
                                          : is_real      ? std::vector<std::string>{"mse", "bce"}
                                                         : std::vector<std::string>{"cross_entropy"};
  const std::string loss = config.loss == "auto" ? losses[0] : config.loss;
  check_choice("loss", losses,
               data.is_tokens ? "for tokens"
               : is_real      ? "for real targets"
                              : "for classes",
               loss);
  const std::vector<std::string> metrics = metrics_of(loss);
  const std::string metric = config.metric == "auto" ? metrics[0] : config.metric;
  check_choice("metric", metrics, "with loss " + loss, metric);
  return {loss, metric};
}

void check_probabilities(const Examples& examples, const std::string& part) {
  constexpr std::int64_t kRows = 1024;
  for (std::int64_t begin = 0; begin < examples.size(); begin += kRows) {
    const torch::Tensor target = examples.range(begin, begin + kRows).target;
    const torch::Tensor wrong = (target < 0).logical_or(target > 1).flatten();
    if (!wrong.any().item<bool>()) continue;
    const std::int64_t at = wrong.nonzero()[0].item<std::int64_t>(), outputs = target.size(1);
    throw UsageError(c10::str("[task] loss: expected targets in 0..1 with loss bce, got ",
                              target.flatten()[at].item<float>(), " in example ", begin + at / outputs,
                              " of the ", part, " part; set task.loss to mse"));
  }
}

class DataTask : public Task {
 public:
  explicit DataTask(const Config& config)
      : model_(config.model),
        augment_(config.data.augment),
        data_(load_data(config.data, wanted_targets(config.task.loss))),
        objective_(objective_of(config.task, data_)) {
    if (augment_ != AugmentConfig() && !data_.background.defined())
      throw UsageError("[data] augment: expected images [channels, height, width], got examples " +
                       io::to_text(data_.input) + "; remove data.augment");
    if (config.task.loss == "bce") {
      check_probabilities(*data_.train, "training");
      check_probabilities(*data_.test, "test");
    }
  }

  const Examples& train() const override { return *data_.train; }
  const Examples& test() const override { return *data_.test; }
  const Examples* validation() const override { return data_.validation.get(); }

  void augment(Batch& batch, const StepPlace& place) const override {
    if (augment_ != AugmentConfig()) batch.x = augmented(batch.x, augment_, data_.background, place);
  }

  TrainableModel make_model() const override {
    return training::make_model(model_, {data_.input, data_.outputs, data_.is_tokens});
  }

  torch::Tensor loss(const torch::Tensor& output, const torch::Tensor& target) const override {
    return objective_.loss(output, target);
  }
  void add_up(Totals& totals, const torch::Tensor& output, const torch::Tensor& target) const override {
    objective_.add_up(totals, output, target);
  }
  double metric_value(const Totals& totals) const override { return objective_.metric_value(totals); }
  Metric metric() const override { return objective_.metric(); }

 private:
  ModelConfig model_;
  AugmentConfig augment_;
  DataSet data_;
  Objective objective_;
};

}  // namespace

std::unique_ptr<Task> make_data_task(const Config& config) {
  return std::make_unique<DataTask>(config);
}

}  // namespace samebits::training
