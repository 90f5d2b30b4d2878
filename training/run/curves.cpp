#include "training/run/curves.h"

#include <algorithm>

namespace samebits::training {
namespace {

using nlohmann::ordered_json;

double number(const ordered_json& record, const std::string& key) {
  return record.contains(key) && record[key].is_number() ? record[key].get<double>() : kMissing;
}

void keep_least(std::optional<double>& least, double value) {
  if (value > 0 && (!least.has_value() || value < *least)) least = value;
}

void add_epoch(Curves& curves, const ordered_json& record, const std::string& phase, double score) {
  curves.epochs.push_back({number(record, "epoch"), phase, number(record, "train_loss"),
                           number(record, "test_loss"), score, number(record, "seconds")});
  const bool is_fp32 = phase == "fp32";
  (is_fp32 ? curves.fp32_score : curves.qat_score) = score;
  if (phase != "observing")
    keep_least(is_fp32 ? curves.fp32_step_ms : curves.qat_step_ms, number(record, "step_ms"));
}

}  // namespace

Curves read_curves(const RunDirectory& run, const std::string& metric, std::int64_t steps_per_epoch,
                   std::int64_t metric_every) {
  Curves curves;
  std::string phase;
  for (const ordered_json& record : run.metrics()) {
    const std::string kind = record["kind"];
    if (kind == "ptq") {
      curves.ptq_score = number(record, metric);
      continue;
    }
    if (record["phase"] != phase) {
      phase = record["phase"];
      const double covered = static_cast<double>(kind == "step" ? metric_every : steps_per_epoch);
      const double epoch = (number(record, "step") - covered) / static_cast<double>(steps_per_epoch);
      curves.phases.push_back({std::max(epoch, 0.0), phase});
    }
    if (kind == "epoch") add_epoch(curves, record, phase, number(record, metric));
  }
  return curves;
}

}  // namespace samebits::training
