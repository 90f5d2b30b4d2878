#include "torch_ext/quantizer/recent_forwards.h"

#include <torch/csrc/autograd/graph_task.h>

#include <algorithm>

namespace samebits {
namespace {

/// More forwards than anyone runs before a backward pass; of a model that has none, the last ones.
constexpr std::size_t kMostForwards = 64;

bool is_float(const RecentForwards::Forward& forward) {
  return !forward.grid.has_value();
}

/// Whether both were computed alike, so that it does not matter which one is wanted.
bool are_alike(const RecentForwards::Forward& a, const RecentForwards::Forward& b) {
  if (is_float(a) || is_float(b)) return is_float(a) && is_float(b) && a.is_exact == b.is_exact;
  return torch::equal(a.grid->scale, b.grid->scale) && torch::equal(a.grid->zero_point, b.grid->zero_point);
}

}  // namespace

bool RecentForwards::is_again() {
  return torch::autograd::get_current_graph_task_id() != -1;
}

bool RecentForwards::were_float() const {
  return !forwards_.empty() && std::ranges::all_of(forwards_, is_float);
}

void RecentForwards::remember(Forward forward) {
  if (was_asked_ || at::GradMode::is_enabled()) forget();
  was_asked_ = false;
  forwards_.push_back(std::move(forward));
  if (forwards_.size() > kMostForwards) forwards_.pop_front();
}

void RecentForwards::remember(const ops::ActivationGrid& grid, const torch::Tensor& range) {
  ops::ActivationGrid kept = grid;
  kept.scale = grid.scale.detach().clone();
  kept.zero_point = grid.zero_point.detach().clone();
  remember({kept, range, false});
}

const RecentForwards::Forward* RecentForwards::find(const std::function<torch::Tensor()>& range,
                                                    const std::string& layer) {
  was_asked_ = true;
  if (forwards_.empty()) return nullptr;
  if (forwards_.size() == 1) return &forwards_.back();
  const bool are_float = were_float();
  const torch::Tensor wanted = are_float ? torch::Tensor() : range();
  const Forward* found = nullptr;
  for (const Forward& each : forwards_) {
    if (!are_float && (is_float(each) || !torch::equal(each.range, wanted))) continue;
    TORCH_CHECK(
        found == nullptr || are_alike(*found, each), "[qat] ", layer,
        ": expected forwards of different ranges before a backward pass that computes them again, got "
        "two of one range on grids that moved; freeze() the grids, or run backward after each forward");
    found = &each;
  }
  TORCH_CHECK(found != nullptr, "[qat] ", layer, ": expected a backward pass to compute one of the last ",
              forwards_.size(),
              " forwards again, got another input; freeze() the grids, or run backward after each forward");
  return found;
}

}  // namespace samebits
