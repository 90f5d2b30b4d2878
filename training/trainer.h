// The main job: float training, then quantization-aware training, with checkpoints, metrics and a clean end
// on SIGINT. What comes after (export, verify, report) is in finish.h.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "torch_ext/prepare.h"
#include "training/checkpoint.h"
#include "training/data/dataset.h"
#include "training/evaluate.h"
#include "training/models/models.h"
#include "training/report/progress.h"
#include "training/report/tensorboard.h"
#include "training/run_directory.h"

namespace samebits::training {

/// Steps between two "step" records of metrics.jsonl.
inline constexpr std::int64_t kMetricEvery = 10;

/// Training cannot go on: a NaN or an infinity. The text names step and place.
class TrainingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Sets threads, deterministic algorithms and torch's seed as the configuration says.
void set_up_process(const Config& config);

/// A model as a configuration describes it, with the QAT layers prepared when `is_qat`.
struct PreparedModel {
  std::shared_ptr<Model> model;
  std::optional<Prepared> prepared;
};
PreparedModel build_model(const Config& config, const Dataset& data, bool is_qat);

/// Throws c10::Error when the model does not fit the images, a layer refuses its scheme, or the QAT epochs
/// end before they quantize: before a run begins, not after its float epochs. Draws from torch's default
/// generator.
void check_trainable(const Config& config, const Datasets& data);

class Trainer {
 public:
  /// `run` is new, or with `resume` goes on from checkpoints/last.safetensors, if it came that far.
  Trainer(const Config& config, RunDirectory& run, const Datasets& data, bool resume);
  ~Trainer();

  /// Trains to the end. False when SIGINT ended it; a checkpoint is written then. Throws TrainingError when a
  /// NaN or an infinity turns up, naming layer and step; the last checkpoint stays as it was.
  bool run();

  PreparedModel& result() { return built_; }

 private:
  struct PhasePlan;
  class StepTimes;

  bool run_phases();
  bool run_phase();
  bool run_epoch(const PhasePlan& plan);
  void train_step(const PhasePlan& plan, const torch::Tensor& order);
  torch::Tensor forward_loss(const Batch& batch);
  std::string first_non_finite(const Batch& batch);
  [[noreturn]] void fail(const std::string& cause);
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
