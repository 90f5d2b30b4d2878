// The main job: float training, then quantization-aware training, with checkpoints, metrics and a clean end on
// SIGINT. What comes after (export, verify, report) is in finish.h.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "torch_ext/prepare.h"
#include "training/checkpoint.h"
#include "training/dataset.h"
#include "training/evaluate.h"
#include "training/models.h"
#include "training/progress.h"
#include "training/run_directory.h"
#include "training/tensorboard.h"

namespace samebits::training {

/// Sets threads, deterministic algorithms and torch's seed as the configuration says.
void set_up_process(const Config& config);

/// A model as a configuration describes it, with the QAT layers prepared when `is_qat`.
struct PreparedModel {
  std::shared_ptr<Model> model;
  std::optional<Prepared> prepared;
};
PreparedModel build_model(const Config& config, const Dataset& data, bool is_qat);

class Trainer {
 public:
  /// `run` is new, or holds checkpoints/last.safetensors when `resume` is true.
  Trainer(const Config& config, RunDirectory& run, const Datasets& data, bool resume);
  ~Trainer();

  /// Trains to the end. False when SIGINT ended it; a checkpoint is written then. Throws TrainingError when a NaN
  /// turns up, naming layer and step; the last checkpoint stays as it was.
  bool run();

  PreparedModel& result() { return built_; }

 private:
  struct PhasePlan;
  class StepTimes;

  bool run_phase();
  bool run_epoch(const PhasePlan& plan);
  void train_step(const PhasePlan& plan, const torch::Tensor& order);
  torch::Tensor forward_loss(const Batch& batch, std::int64_t step);
  [[noreturn]] void fail_non_finite(const Batch& batch, std::int64_t step);
  void finish_epoch(const PhasePlan& plan);
  void start_qat();
  void measure_ptq();
  void save(const std::string& name);
  void show(const PhasePlan& plan, double loss);

  PhasePlan plan() const;
  std::int64_t steps_per_epoch() const;
  std::int64_t global_step() const;
  bool is_qat() const { return position_.phase == "qat"; }
  std::string phase_text() const;

  const Config& config_;
  RunDirectory& run_;
  const Datasets& data_;
  TrainingPosition position_;
  PreparedModel built_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  EventWriter events_;
  Progress progress_;
  std::unique_ptr<StepTimes> times_;
  double accuracy_percent_;  // of the last evaluation
};

}  // namespace samebits::training
