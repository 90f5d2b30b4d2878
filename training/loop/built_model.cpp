#include "training/loop/built_model.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/torch.h>

#include "kernels/common/isa.h"
#include "training/library_errors.h"
#include "training/loop/initial_weights.h"

namespace samebits::training {

BuiltModel build_model(const Config& config, const Task& task, bool is_qat) {
  BuiltModel built{.model = task.make_model(), .qat = {}};
  if (is_qat) start_qat(built, config, task);
  return built;
}

void start_qat(BuiltModel& built, const Config& config, const Task& task) {
  built.qat = refusing([&] {
    return prepare(ref_of(built.model), config.qat.qconfig, task.example(), config.qat.observe_steps);
  });
}

void check_trainable(const Config& config, const Task& task) {
  BuiltModel built = build_model(config, task, /*is_qat=*/false);
  if (!config.init.empty()) load_initial_weights(*built.model.module, config.init);
  if (config.qat.epochs == 0) return;
  start_qat(built, config, task);
  const std::int64_t qat_steps = config.qat.epochs * steps_per_epoch(task, config.data.batch_size);
  if (config.qat.observe_steps >= qat_steps)
    throw UsageError("[config] qat.observe_steps: expected less than the " + std::to_string(qat_steps) +
                     " steps of qat.epochs, got " + std::to_string(config.qat.observe_steps) +
                     "; observe less or train longer");
}

void set_up_process(const Config& config) {
  refusing([] { kernels::isa::forced(); });  // an unknown SAMEBITS_ISA
  if (config.threads > 0) at::set_num_threads(static_cast<int>(config.threads));
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  // Every output is written whole; filling costs.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  torch::manual_seed(config.seed);
}

}  // namespace samebits::training
