// The model of a run, and what a configuration asks of the process that trains it.
#pragma once

#include <memory>
#include <optional>

#include "torch_ext/prepare.h"
#include "training/errors.h"
#include "training/tasks/task.h"

namespace samebits::training {

/// A model, and its quantized layers once its QAT epochs began. One that was not built of QAT layers is its
/// graph by then, with the same parameters and buffers under the same names.
struct BuiltModel {
  TrainableModel model;
  std::optional<Prepared> qat;
};

/// A new model as a configuration describes it, its weights drawn. Throws as start_qat() does.
BuiltModel build_model(const Config& config, const Task& task, bool is_qat);

/// Sets up the layers of a model in float for its QAT epochs. A model without QAT layers is captured, and
/// `built` has its graph from then on. Throws UsageError when a layer refuses its scheme, and with everything
/// that cannot ship.
void start_qat(BuiltModel& built, const Config& config, const Task& task);

/// Throws UsageError when the model or `init` does not fit, a layer refuses its scheme, a layer's name
/// matches none, the model cannot ship, or the QAT epochs end before they quantize: before a run begins, not
/// after its float epochs. Tries it on a model of its own. Draws from torch's default generator.
void check_trainable(const Config& config, const Task& task);

/// Sets threads, deterministic algorithms and torch's seed as the configuration says.
void set_up_process(const Config& config);

}  // namespace samebits::training
