// What a task measures, as people read it. Torch-free.
#pragma once

#include <string>

namespace samebits::training {

/// `name` and `unit` are literals.
struct Metric {
  const char* name = "accuracy";  // in metrics.jsonl and status.json too
  const char* unit = "%";         // behind the value
  int decimals = 2;

  /// "91.42%"; an en dash for what is not finite.
  std::string text(double value) const;
};

/// On one set of examples.
struct Evaluation {
  double loss = 0;   // mean of the task's loss
  double score = 0;  // the task's metric
};

}  // namespace samebits::training
