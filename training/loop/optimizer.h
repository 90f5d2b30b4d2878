// Optimizers and learning-rate schedules by name, and their state as named tensors for checkpoints.
#pragma once

#include <torch/nn.h>
#include <torch/optim.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "training/config.h"

namespace samebits::training {

/// An optimizer over all parameters of `module`; trained scales and offsets of grids, if there are any, in a
/// second group, without weight decay.
std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerConfig& config,
                                                        torch::nn::Module& module);

/// The learning rate of step `step` (0 is the first) of `steps`: linear warm-up from lr / warmup_steps, then
/// constant or half a cosine down to 0.
double learning_rate(const OptimizerConfig& optimizer, const ScheduleConfig& schedule, std::int64_t step,
                     std::int64_t steps);
/// `scale_factor` times `lr` for the second group.
void set_learning_rate(torch::optim::Optimizer& optimizer, double lr, double scale_factor);

/// State tensors by "PARAMETER.exp_avg" and the like; empty before the first step.
std::map<std::string, torch::Tensor> optimizer_state(torch::optim::Optimizer& optimizer,
                                                     torch::nn::Module& module);

/// Where a state came from.
struct StateOrigin {
  std::string file;         // for messages
  bool has_stepped = true;  // the optimizer had done steps: a state must be there
};

/// The other way round. Throws UsageError when a tensor is missing or has another shape or type, or a count
/// of steps is none. Trained scales may have no state: they have not stepped while their layer observes.
void load_optimizer_state(torch::optim::Optimizer& optimizer, torch::nn::Module& module,
                          const std::map<std::string, torch::Tensor>& state, const StateOrigin& origin);

}  // namespace samebits::training
