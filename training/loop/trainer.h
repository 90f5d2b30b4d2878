// The main job: float training, then quantization-aware training, with checkpoints, metrics and a clean end
// on SIGINT. What comes after (export, verify, report) is in ship/.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "training/loop/built_model.h"
#include "training/loop/checkpoint.h"
#include "training/loop/evaluate.h"
#include "training/loop/step_times.h"
#include "training/report/progress.h"
#include "training/run/metrics_log.h"
#include "training/run/run_directory.h"

namespace samebits::training {

class Trainer {
 public:
  /// `run` is new, or with `resume` goes on from checkpoints/last.safetensors, if it came that far. Throws
  /// UsageError when that is of another configuration. All arguments must outlive the trainer.
  Trainer(const Config& config, RunDirectory& run, const Task& task, bool resume);

  /// Trains to the end. False when SIGINT ended it; a checkpoint is written then. Throws TrainingError when a
  /// NaN or an infinity turns up, naming layer and step; the last checkpoint stays as it was.
  bool run();

  BuiltModel& result() { return built_; }

 private:
  struct Phase;

  void resume_from(const Checkpoint& checkpoint);
  bool run_phases();
  bool run_phase();
  void measure_untrained();
  bool run_epoch(const Phase& phase);
  void train_step(const Phase& phase, const torch::Tensor& order);
  void freeze_what_is_due(const Phase& phase, std::int64_t phase_step);
  void reestimate_batch_norms();
  std::vector<torch::Tensor> first_batches(std::int64_t most) const;
  Batch training_batch(const torch::Tensor& order) const;
  torch::Tensor forward_loss(const Batch& batch);
  [[noreturn]] void fail(const std::string& cause);
  void finish_epoch(const Phase& phase);
  void switch_to_qat();
  void measure_ptq();
  void save(const std::string& name);
  ProgressState progress_state(const Phase& phase, double loss) const;

  Phase phase() const;
  std::int64_t global_step() const;
  std::int64_t earlier_epochs() const { return is_qat() ? config_.train.epochs : 0; }
  bool is_qat() const { return position_.is_qat(); }
  std::string phase_text() const;

  const Config& config_;
  RunDirectory& run_;
  const Task& task_;
  const std::int64_t steps_per_epoch_;
  TrainingPosition position_;
  BuiltModel built_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  std::optional<MetricsLog> log_;  // opened once it is known that training can go on
  Progress progress_;
  StepTimes times_;
  std::optional<double> score_;      // of the last evaluation
  bool batch_norms_frozen_ = false;  // qat
};

}  // namespace samebits::training
