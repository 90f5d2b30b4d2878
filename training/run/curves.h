// What metrics.jsonl says of a whole run, as the report's curves and rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "training/report/report.h"
#include "training/run/run_directory.h"

namespace samebits::training {

struct Curves {
  std::vector<EpochPoint> epochs;
  std::vector<PhaseMark> phases;
  double fp32_score = kMissing, ptq_score = kMissing, qat_score = kMissing;  // of the last evaluation
  std::optional<double> fp32_step_ms, qat_step_ms;                           // the fastest epoch's median
};

/// `metric` is the key of scores; `metric_every` the steps between two records of steps.
Curves read_curves(const RunDirectory& run, const std::string& metric, std::int64_t steps_per_epoch,
                   std::int64_t metric_every);

}  // namespace samebits::training
