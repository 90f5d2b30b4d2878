// The layers of a program: products of an activation and a weight, however they are written.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "torch_ext/graph/program/program.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace torch::nn {
class Module;
}

namespace samebits {

/// One product, found but not yet changed. `nodes` are what it is made of, in order; the last one gives y.
struct LayerSite {
  std::vector<std::size_t> nodes;  // by place in Program::nodes
  ProgramArgument x, weight, bias;
  LayerProduct product;
  std::string path;         // of the layer: where its module stood, or a name of its own beside the parameter
  bool owns_weight = true;  // whether the module at `path` holds just these parameters: it becomes the layer
  std::string refusal;      // why it cannot be one; empty: it can
};

/// A product that stays what it is, and why.
struct RefusedLayer {
  std::string path, op, why;
};

/// linear, addmm and matmul with a transposed weight, and conv2d, on weights that are parameters or made of
/// parameters alone.
std::vector<LayerSite> find_layers(const Program& program, const torch::nn::Module& root);

/// The program with QATLinear and QATConv2d in place of the sites' nodes: one for all sites of the same path,
/// weight and product. Weights that are made anew in each forward go to the layer with each call.
Program with_layers(const Program& program, const std::vector<LayerSite>& sites);

}  // namespace samebits
