// QATRecurrent: what one direction of one layer of a torch::nn::LSTM or GRU does at each step, with the
// product of its state on integers. The product of the input is a QATLinear in front, over all steps at once.
#pragma once

#include <torch/nn.h>

#include "torch_ext/modules/qat_layer.h"

namespace samebits {

struct RecurrentOptions {
  bool has_cells = true;  // an LSTM; else a GRU
  bool is_batch_first = false;
  bool is_reverse = false;   // from the last step to the first
  bool gives_cells = false;  // of an LSTM: y holds a step's h and, behind it, its c
  friend bool operator==(const RecurrentOptions&, const RecurrentOptions&) = default;
};

class QATRecurrentImpl : public QATLayer {
 public:
  /// A layer on tensors of others: weight [gates * hidden, hidden], bias [gates * hidden] or undefined, gates
  /// in torch's order: i, f, g, o of an LSTM, r, z, n of a GRU.
  QATRecurrentImpl(const RecurrentOptions& options, torch::Tensor weight_of, torch::Tensor bias_of);

  /// gates [steps, batch, gates * hidden], what the input gave to them, and the states before the first step,
  /// [batch, hidden] or undefined for 0, to y [steps, batch, hidden], or twice hidden with gives_cells; with
  /// is_batch_first [batch, steps, ...]. The grid of the state is one for all steps: a forward moves it once,
  /// by all states that it came through.
  torch::Tensor forward(const torch::Tensor& gates, const torch::Tensor& h = {}, const torch::Tensor& c = {});

  const RecurrentOptions& options() const { return options_; }

 private:
  struct Step {  // all [batch, ...]
    torch::Tensor h, c;
  };
  torch::Tensor run(const torch::Tensor& gates, const torch::Tensor& h, const torch::Tensor& c);
  Step next(const torch::Tensor& gates, const torch::Tensor& products, const Step& before) const;
  void check(const torch::Tensor& gates) const;

  RecurrentOptions options_;
};
TORCH_MODULE(QATRecurrent);

}  // namespace samebits
