// What a layer's last forwards computed with, for backward passes that compute them again (gradient
// checkpointing): ranges have moved since, and must neither move twice nor give other codes than at first.
// Checkpointing runs a forward without gradients at first; of those with gradients the last one is kept.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "csrc/layers/layer.h"

namespace samebits {

class RecentForwards {
 public:
  struct Forward {
    std::optional<ops::ActivationGrid> grid;  // none: it was computed in float
    torch::Tensor range;                      // {min, max} of its input on `grid`
    bool is_exact = false;                    // in float: by the sums that ship
  };

  /// Whether a backward pass is running in this thread: a forward within it is an earlier one, again.
  static bool is_again();

  void remember_float(bool is_exact) { remember({std::nullopt, {}, is_exact}); }
  /// `grid` may move afterwards.
  void remember(const ops::ActivationGrid& grid, const torch::Tensor& range);
  void forget() { forwards_.clear(); }

  /// Whether there were forwards, all of them in float.
  bool were_float() const;

  /// The forward that backward computes again; null: none was remembered, since nothing moves. `range` gives
  /// that of its input, and is asked for only when there was more than one forward. Throws c10::Error that
  /// names `layer` when none or several on different grids had that range.
  const Forward* find(const std::function<torch::Tensor()>& range, const std::string& layer);

 private:
  void remember(Forward forward);

  std::deque<Forward> forwards_;  // since the first one behind a backward pass
  bool was_asked_ = false;
};

}  // namespace samebits
