#include "training/loop/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "torch_ext/quantizer/learned_grid.h"
#include "training/errors.h"

namespace samebits::training {
namespace {

using torch::optim::AdamWParamState;
using torch::optim::SGDParamState;

/// State tensors by name, each checked for the shape and type that it must have.
class StateReader {
 public:
  StateReader(const std::map<std::string, torch::Tensor>& state, const std::string& file)
      : state_(state), file_(file) {}

  torch::Tensor get(const std::string& name, at::IntArrayRef sizes, torch::ScalarType type) const {
    const auto found = state_.find(name);
    const bool is_there = found != state_.end();
    if (is_there && found->second.sizes() == sizes && found->second.scalar_type() == type)
      return found->second.clone();
    const std::string got =
        is_there ? c10::str(found->second.scalar_type(), " ", found->second.sizes()) : "none";
    throw UsageError(c10::str("[checkpoint] ", file_, ": optimizer.", name, ": expected ", type, " ", sizes,
                              ", got ", got, "; is it of another configuration?"));
  }

  /// Whether there is any state of the parameter.
  bool has(const std::string& parameter) const {
    const auto first = state_.lower_bound(parameter + ".");
    return first != state_.end() && first->first.starts_with(parameter + ".");
  }

  std::int64_t steps(const std::string& name) const {
    const auto count = get(name, {}, torch::kLong).item<std::int64_t>();
    if (count < 1)
      throw UsageError(
          c10::str("[checkpoint] ", file_, ": optimizer.", name, ": expected a count >= 1, got ", count));
    return count;
  }

 private:
  const std::map<std::string, torch::Tensor>& state_;
  const std::string& file_;
};

/// SGD without momentum has none.
bool keeps_state(torch::optim::Optimizer& optimizer) {
  if (dynamic_cast<torch::optim::SGD*>(&optimizer) == nullptr) return true;
  return static_cast<torch::optim::SGDOptions&>(optimizer.defaults()).momentum() != 0;
}

bool is_one_of(const torch::Tensor& tensor, const std::vector<torch::Tensor>& tensors) {
  return std::ranges::any_of(tensors, [&](const torch::Tensor& each) { return each.is_same(tensor); });
}

template <class Optimizer, class Options>
std::unique_ptr<torch::optim::Optimizer> make_grouped(const torch::nn::Module& module,
                                                      const Options& options) {
  std::vector<torch::Tensor> others, grids = grid_parameters(module);
  for (const torch::Tensor& each : module.parameters())
    if (!is_one_of(each, grids)) others.push_back(each);
  auto optimizer = std::make_unique<Optimizer>(std::move(others), options);
  if (grids.empty()) return optimizer;
  optimizer->add_param_group({std::move(grids), std::make_unique<Options>(options)});
  // Afterwards: in options that are given with a group, LibTorch takes a 0 that is the default for one that
  // nobody set.
  static_cast<Options&>(optimizer->param_groups().back().options()).weight_decay(0);
  return optimizer;
}

}  // namespace

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerConfig& config,
                                                        torch::nn::Module& module) {
  if (config.name == "sgd")
    return make_grouped<torch::optim::SGD>(
        module,
        torch::optim::SGDOptions(config.lr).momentum(config.momentum).weight_decay(config.weight_decay));
  return make_grouped<torch::optim::AdamW>(module, torch::optim::AdamWOptions(config.lr)
                                                       .betas({config.beta1, config.beta2})
                                                       .weight_decay(config.weight_decay));
}

double learning_rate(const OptimizerConfig& optimizer, const ScheduleConfig& schedule, std::int64_t step,
                     std::int64_t steps) {
  if (step < schedule.warmup_steps)
    return optimizer.lr * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps);
  if (schedule.name == "constant") return optimizer.lr;
  const double total = static_cast<double>(std::max<std::int64_t>(steps - schedule.warmup_steps, 1));
  const double progress = static_cast<double>(step - schedule.warmup_steps) / total;
  return optimizer.lr * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr, double scale_factor) {
  auto& groups = optimizer.param_groups();
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i].options().set_lr(i == 0 ? lr : lr * scale_factor);
}

std::map<std::string, torch::Tensor> optimizer_state(torch::optim::Optimizer& optimizer,
                                                     torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> state;
  for (const auto& parameter : module.named_parameters()) {
    const auto found = optimizer.state().find(parameter.value().unsafeGetTensorImpl());
    if (found == optimizer.state().end()) continue;
    if (const auto* adam = dynamic_cast<const AdamWParamState*>(found->second.get())) {
      state[parameter.key() + ".step"] = torch::tensor(adam->step(), torch::kLong);
      state[parameter.key() + ".exp_avg"] = adam->exp_avg();
      state[parameter.key() + ".exp_avg_sq"] = adam->exp_avg_sq();
    } else if (const auto* sgd = dynamic_cast<const SGDParamState*>(found->second.get())) {
      if (sgd->momentum_buffer().defined())
        state[parameter.key() + ".momentum_buffer"] = sgd->momentum_buffer();
    }
  }
  return state;
}

void load_optimizer_state(torch::optim::Optimizer& optimizer, torch::nn::Module& module,
                          const std::map<std::string, torch::Tensor>& state, const StateOrigin& origin) {
  const bool is_adam = dynamic_cast<torch::optim::AdamW*>(&optimizer) != nullptr;
  if (state.empty() && (!origin.has_stepped || !keeps_state(optimizer))) return;
  const StateReader reader(state, origin.file);
  const std::vector<torch::Tensor> grids = grid_parameters(module);
  for (const auto& parameter : module.named_parameters()) {
    if (!parameter.value().requires_grad()) continue;                                   // it is never stepped
    if (is_one_of(parameter.value(), grids) && !reader.has(parameter.key())) continue;  // not yet
    const at::IntArrayRef sizes = parameter.value().sizes();
    auto& slot = optimizer.state()[parameter.value().unsafeGetTensorImpl()];
    if (is_adam) {
      auto adam = std::make_unique<AdamWParamState>();
      adam->step(reader.steps(parameter.key() + ".step"));
      adam->exp_avg(reader.get(parameter.key() + ".exp_avg", sizes, torch::kFloat));
      adam->exp_avg_sq(reader.get(parameter.key() + ".exp_avg_sq", sizes, torch::kFloat));
      slot = std::move(adam);
    } else {
      auto sgd = std::make_unique<SGDParamState>();
      sgd->momentum_buffer(reader.get(parameter.key() + ".momentum_buffer", sizes, torch::kFloat));
      slot = std::move(sgd);
    }
  }
}

}  // namespace samebits::training
