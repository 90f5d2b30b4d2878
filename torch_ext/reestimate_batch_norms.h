// Running statistics of batch norms anew, from what the layers compute now: those that training averaged
// belong to weights and grids that have moved since.
#pragma once

#include <torch/nn/module.h>

#include <vector>

#include "torch_ext/forward.h"

namespace samebits {

/// Averages the statistics of these batches in every batch norm of the model, joined or
/// torch::nn::BatchNorm1d to 3d, each normalized by its own batch meanwhile as in training; everything else
/// computes as in eval mode, so quantized layers on integers, and nothing observes. Frozen ones too. Without
/// batches nothing changes.
void reestimate_batch_norms(const ModelRef& model, const std::vector<torch::Tensor>& batches);
template <class Model>
void reestimate_batch_norms(Model& model, const std::vector<torch::Tensor>& batches) {
  reestimate_batch_norms(model_ref(model), batches);
}

}  // namespace samebits
