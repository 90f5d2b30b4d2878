// report.html and status.json of a run, from its metrics.jsonl, its model and its exported files.
#pragma once

#include <vector>

#include "torch_ext/verify.h"
#include "training/loop/built_model.h"
#include "training/run/run_directory.h"

namespace samebits::training {

/// Writes both; status.json has state "done" and the scores of the float, the PTQ, the QAT and the exported
/// model.
void write_report(RunDirectory& run, const Config& config, BuiltModel& trained, const Task& task,
                  const std::vector<VerifyReport>& verification);

}  // namespace samebits::training
