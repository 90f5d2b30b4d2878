// What every trainable model is: a module with one tensor in and one out, built here or by a plug-in.
#pragma once

#include <functional>
#include <vector>

#include "samebits/plugin.h"
#include "torch_ext/forward.h"

namespace samebits::training {

/// A forward of one tensor, which may be called with a list of one too.
struct OneTensorForward {
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  torch::Tensor operator()(const torch::Tensor& x) const { return forward(x); }
  std::vector<torch::Tensor> operator()(const std::vector<torch::Tensor>& inputs) const {
    return {forward(inputs.at(0))};
  }
};

/// How the library calls a model. Valid as long as the model is.
inline ModelRef ref_of(const TrainableModel& model) {
  return {*model.module, OneTensorForward{model.forward}};
}

}  // namespace samebits::training
