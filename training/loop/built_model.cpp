#include "training/loop/built_model.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "kernels/common/isa.h"
#include "torch_ext/capture.h"
#include "training/library_errors.h"
#include "training/loop/initial_weights.h"
#include "training/models/names.h"

namespace samebits::training {
namespace {

bool has_qat_layers(const torch::nn::Module& module) {
  return std::ranges::any_of(module.modules(/*include_self=*/false),
                             [](const auto& each) { return as_qat_layer(each) != nullptr; });
}

/// What a model is traced on: two examples at least, since a batch norm refuses one of a single value a
/// channel.
torch::Tensor trace_example(const Task& task) {
  constexpr std::int64_t kExamples = 3;
  const torch::Tensor x = task.test().range(0, kExamples).x;
  return x.size(0) > 1 ? x : torch::cat({x, x});
}

/// What is free in tokens [n, length] and sequences [n, length, features].
DynamicAxes axes_of(const ModelConfig& model, const torch::Tensor& x) {
  const bool has_length = x.dim() == 3 || x.scalar_type() == torch::kLong;
  if (!model.is_built_in() || !has_length || !takes_any_length(model.name)) return {};
  return {.batch = {0}, .sequence = {1}};
}

TrainableModel captured(const TrainableModel& model, const ModelConfig& config, const torch::Tensor& x) {
  ModelRef ref = ref_of(model);
  ref.axes = axes_of(config, x);
  return trainable_model(capture(std::as_const(ref), Tensors{x}).ptr());
}

}  // namespace

BuiltModel build_model(const Config& config, const Task& task, bool is_qat) {
  BuiltModel built{.model = task.make_model(), .qat = {}};
  if (is_qat) start_qat(built, config, task);
  return built;
}

void start_qat(BuiltModel& built, const Config& config, const Task& task) {
  const QConfig& scheme = config.qat.qconfig;
  const std::int64_t observe_steps = config.qat.observe_steps;
  built.qat = refusing([&] {
    if (has_qat_layers(*built.model.module))
      return prepare(ref_of(built.model), scheme, task.example(), observe_steps);
    const torch::Tensor x = trace_example(task);
    if (as_graph(built.model) == nullptr) built.model = captured(built.model, config.model, x);
    return prepare(ref_of(built.model), scheme, Tensors{x}, {.observe_steps = observe_steps});
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
