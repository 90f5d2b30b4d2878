// How the C header puts an operator: ops/ has a form for each that it knows, listed in c_forms.cpp.
#pragma once

#include <string>
#include <vector>

#include "export/c_header/c_plan.h"
#include "export/c_header/c_text.h"
#include "graph/operator.h"

namespace samebits {

/// One step to be written.
struct CNode {
  const CStep& step;
  const CPlan& plan;
  const graph::Graph& graph;
  CText& c;

  const graph::Node& node() const { return *step.node; }
  const CValue& x(std::size_t i = 0) const { return plan.values[step.inputs[i]]; }
  const CValue& y() const { return plan.values[step.output]; }
  std::string name(const char* what) const { return node().name + "_" + what; }
  /// What the function returns when the input of a layer holds NaN: its place among the nodes, from 1.
  std::size_t nan_result(const graph::Node& layer) const {
    return static_cast<std::size_t>(&layer - graph.nodes.data()) + 1;
  }
  /// The codes of the input: as they are, or quantized by a line that is written here.
  std::string input_codes(const kernels::AffineGrid& grid) const;
};

/// A layer's factors of channels; empty: it has none.
template <class Layer>
std::span<const float> factors_of(const Layer& layer) {
  if constexpr (requires { layer.channel_scale; })
    return layer.channel_scale;
  else
    return {};
}

using CForm = void(const CNode& at);

/// Null: it has none.
CForm* c_form_of(const graph::Operator& op);
/// "linear, conv2d, …".
std::string c_form_names();

namespace c_forms {
CForm linear, conv2d, float_linear, float_conv2d, relu, clamp, add, flatten, max_pool2d, avg_pool2d;
}  // namespace c_forms

}  // namespace samebits
