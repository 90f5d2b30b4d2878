// What training minimizes and what is reported of it, by their names (choices.h).
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

#include "training/metric.h"

namespace samebits::training {

/// Sums over examples, of which mean loss and metric are made.
struct Totals {
  double loss = 0, score = 0;
  std::int64_t examples = 0;
};

/// Outputs and targets by loss: cross_entropy [n, classes], int64 [n]; mse and bce (logits) [n, outputs],
/// float32 [n, outputs]; next_token [n, length, tokens], int64 [n, length].
class Objective {
 public:
  /// `metric` is one of metrics_of(loss).
  Objective(const std::string& loss, const std::string& metric);

  /// The mean over the batch, with gradient.
  torch::Tensor loss(const torch::Tensor& output, const torch::Tensor& target) const;
  /// Adds a batch to what evaluation sums up.
  void add_up(Totals& totals, const torch::Tensor& output, const torch::Tensor& target) const;
  double metric_value(const Totals& totals) const;
  Metric metric() const { return metric_; }

 private:
  enum class Loss { kCrossEntropy, kMse, kBce, kNextToken };
  double score(const torch::Tensor& output, const torch::Tensor& target) const;

  Loss loss_;
  Metric metric_;
};

}  // namespace samebits::training
