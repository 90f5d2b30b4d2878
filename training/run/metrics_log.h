// What a run measures, written down as it goes: metrics.jsonl and TensorBoard's events hold the same.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "torch_ext/modules/qat_layer.h"
#include "training/metric.h"
#include "training/report/tensorboard.h"
#include "training/run/run_directory.h"

namespace samebits::training {

/// Steps between two "step" records.
inline constexpr std::int64_t kMetricEvery = 10;

/// One epoch. `step` is the last of the run so far, `epoch` counts the trained epochs of both phases.
struct EpochRecord {
  std::int64_t step = 0, epoch = 0;
  std::string phase;
  double train_loss = 0;
  Evaluation test;
  std::optional<Evaluation> validation;
  double seconds = 0, step_ms = 0;
};

/// Everything throws io::WriteError on a full disk.
class MetricsLog {
 public:
  MetricsLog(RunDirectory& run, Metric metric) : run_(run), metric_(std::move(metric)), events_(run.path()) {}

  void step(std::int64_t step, const std::string& phase, double loss, double lr);
  /// `layers`: whose codes are counted.
  void epoch(const EpochRecord& record, const std::vector<std::shared_ptr<QATLayer>>& layers);
  /// The float model after post-training quantization.
  void ptq(std::int64_t step, const Evaluation& test);

 private:
  RunDirectory& run_;
  Metric metric_;
  EventWriter events_;
};

}  // namespace samebits::training
