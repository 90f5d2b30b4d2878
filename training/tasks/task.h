// What is learned: examples, model, loss and metric. Trainer, evaluation, export, verify and report know a
// Task and nothing of images or texts; data_task.h makes the one of a configuration.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "training/config.h"
#include "training/data/examples.h"
#include "training/data/random.h"
#include "training/models/model.h"
#include "training/tasks/objective.h"

namespace samebits::training {

class Task {
 public:
  virtual ~Task() = default;

  virtual const Examples& train() const = 0;
  virtual const Examples& test() const = 0;
  /// What is looked at after each epoch besides the test set; null: nothing.
  virtual const Examples* validation() const { return nullptr; }
  /// Changes training examples by chance. Draws depend on `place` alone.
  virtual void augment(Batch& batch, const StepPlace& place) const = 0;

  /// A new model; parameters are drawn from torch's default generator. Throws UsageError when it does not fit
  /// the data.
  virtual TrainableModel make_model() const = 0;

  /// What training minimizes: the mean over the batch, with gradient.
  virtual torch::Tensor loss(const torch::Tensor& output, const torch::Tensor& target) const = 0;
  /// Adds a batch to what evaluation sums up.
  virtual void add_up(Totals& totals, const torch::Tensor& output, const torch::Tensor& target) const = 0;
  virtual double metric_value(const Totals& totals) const = 0;
  virtual Metric metric() const = 0;

  /// One example of zeros, for what needs only shape and type: [1, …].
  torch::Tensor example() const;
};

/// The task that a configuration describes, its data read. Throws UsageError on missing or wrong data.
std::unique_ptr<Task> make_task(const Config& config);

/// Steps of an epoch; the last may be short.
std::int64_t steps_per_epoch(const Task& task, std::int64_t batch_size);

/// All test inputs, for verify().
std::vector<torch::Tensor> test_inputs(const Task& task, std::int64_t batch_size);

}  // namespace samebits::training
