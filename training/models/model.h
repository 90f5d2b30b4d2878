// What every trainable model is: a module with one tensor in and one out, built here, by a plug-in or in
// Python.
#pragma once

#include <functional>
#include <vector>

#include "samebits/plugin.h"
#include "torch_ext/forward.h"
#include "torch_ext/graph_module.h"

namespace samebits::training {

/// A forward of one tensor, which may be called with a list of one too.
struct OneTensorForward {
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  torch::Tensor operator()(const torch::Tensor& x) const { return forward(x); }
  std::vector<torch::Tensor> operator()(const std::vector<torch::Tensor>& inputs) const {
    return {forward(inputs.at(0))};
  }
};

/// The model as a graph; null: it is an ordinary module.
inline GraphModuleImpl* as_graph(const TrainableModel& model) {
  return dynamic_cast<GraphModuleImpl*>(model.module.get());
}

/// How the library calls a model. Valid as long as the model is.
inline ModelRef ref_of(const TrainableModel& model) {
  if (GraphModuleImpl* graph = as_graph(model)) return model_ref(*graph);  // which knows its axes
  return {*model.module, OneTensorForward{model.forward}};
}

}  // namespace samebits::training
