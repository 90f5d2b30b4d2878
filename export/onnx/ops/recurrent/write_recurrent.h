// The recurrent operators as a Scan over the steps, whose body holds the product of the state in the form of
// a linear layer, and the gates.
#pragma once

#include "export/onnx/onnx_node.h"
#include "graph/ops/layers/float_linear.h"
#include "graph/ops/layers/linear.h"
#include "graph/ops/recurrent/recurrent.h"

namespace samebits::onnx_forms {

/// The body of a Scan: a graph of its own, whose names begin with "NODE/step".
class ScanBody {
 public:
  ScanBody(onnx::GraphProto& proto, const graph::Node& node) : builder(proto, {}), proto_(proto) {
    builder.start_layer(node.name + "/step");
    proto.set_name(node.name + "/step");
  }
  std::string input(const char* what) {
    const std::string name = builder.fresh(what);
    describe(*proto_.add_input(), name);
    return name;
  }
  void output(const std::string& name) { describe(*proto_.add_output(), name); }
  /// `count` parts side by side.
  std::vector<std::string> split(const std::string& x, std::int64_t count, std::int64_t size) {
    const std::vector<std::int64_t> sizes(static_cast<std::size_t>(count), size);
    std::vector<std::string> parts = {builder.add("Split", {x, builder.constant("sizes", sizes)}, "part")};
    builder.set("axis", -1);
    onnx::NodeProto& node = builder.last();
    while (std::ssize(parts) < count) {
      parts.push_back(builder.fresh("part"));
      node.add_output(parts.back());
    }
    return parts;
  }
  /// state · weightᵀ + bias, written as the layer of these attributes.
  template <class Layer>
  std::string product(const std::string& state, Layer attributes) {
    const graph::TensorType type{graph::Dtype::kFloat32, {graph::kBatch, attributes.weight.shape[0]}};
    const graph::Node layer = graph::make_node("state", std::move(attributes), {state}, "");
    onnx_form_of (*layer.op)({layer, type, builder});
    return builder.last().output(0);
  }

  OnnxBuilder builder;

 private:
  /// A matrix of float32.
  static void describe(onnx::ValueInfoProto& value, const std::string& name) {
    value.set_name(name);
    auto& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (int i = 0; i < 2; ++i) type.mutable_shape()->add_dim();
  }

  onnx::GraphProto& proto_;
};

inline graph::Linear state_layer(const graph::IntegerState& state) {
  return {state.state_grid, state.weight, state.bias};
}
inline graph::FloatLinear state_layer(const graph::FloatState& state) {
  return {state.weight, state.bias};
}

/// Names of the states and of what goes out at a step.
struct StepOutputs {
  std::vector<std::string> states;
  std::string y;
};

template <class A>
StepOutputs write_lstm_step(ScanBody& body, const A& lstm, const std::string& h, const std::string& c,
                            const std::string& x) {
  OnnxBuilder& onnx = body.builder;
  const std::string sums = onnx.add("Add", {x, body.product(h, state_layer(lstm))}, "sums");
  const std::vector<std::string> gates = body.split(sums, 4, lstm.hidden());
  const std::string i = onnx.add("Sigmoid", {gates[0]}, "i"), f = onnx.add("Sigmoid", {gates[1]}, "f"),
                    g = onnx.add("Tanh", {gates[2]}, "g"), o = onnx.add("Sigmoid", {gates[3]}, "o");
  const std::string kept = onnx.add("Mul", {f, c}, "kept"), added = onnx.add("Mul", {i, g}, "added");
  const std::string next_c = onnx.add("Add", {kept, added}, "next_c");
  const std::string next_h = onnx.add("Mul", {o, onnx.add("Tanh", {next_c}, "squashed")}, "next_h");
  if (!lstm.gives_cells) return {{next_h, next_c}, onnx.add("Identity", {next_h}, "y")};
  StepOutputs out{{next_h, next_c}, onnx.add("Concat", {next_h, next_c}, "y")};
  onnx.set("axis", -1);
  return out;
}

template <class A>
StepOutputs write_gru_step(ScanBody& body, const A& gru, const std::string& h, const std::string& x) {
  OnnxBuilder& onnx = body.builder;
  const std::int64_t hidden = gru.hidden();
  const std::vector<std::string> of_x = body.split(x, 3, hidden),
                                 of_h = body.split(body.product(h, state_layer(gru)), 3, hidden);
  const auto gate = [&](std::size_t k, const char* what) {
    return onnx.add("Sigmoid", {onnx.add("Add", {of_x[k], of_h[k]}, "sums")}, what);
  };
  const std::string r = gate(0, "r"), z = gate(1, "z");
  const std::string reset = onnx.add("Mul", {r, of_h[2]}, "reset");
  const std::string n = onnx.add("Tanh", {onnx.add("Add", {of_x[2], reset}, "fresh")}, "n");
  const std::string change = onnx.add("Mul", {onnx.add("Sub", {h, n}, "change"), z}, "kept");
  const std::string next = onnx.add("Add", {change, n}, "next_h");
  return {{next}, onnx.add("Identity", {next}, "y")};
}

template <class A>
void write_recurrent(const OnnxNode& out) {
  const auto& recurrent = out.node.as<A>();
  const std::int64_t steps_axis = recurrent.is_batch_first ? 1 : 0, way = recurrent.is_reverse ? 1 : 0;
  std::vector<std::string> inputs(out.node.inputs.begin() + 1, out.node.inputs.end());
  if (inputs.empty()) {
    const graph::Dimension& rows = out.inputs[0].shape[static_cast<std::size_t>(1 - steps_axis)];
    const std::string sizes = out.onnx.sizes("state_sizes", {rows, recurrent.hidden()});
    inputs.assign(A::kHasCells ? 2 : 1, out.onnx.add("ConstantOfShape", {sizes}, "state"));
  }
  inputs.push_back(out.x());
  const std::string state = out.onnx.add("Scan", inputs, "last_state");
  onnx::NodeProto& scan = out.onnx.last();
  for (std::size_t i = 2; i < inputs.size(); ++i) scan.add_output(out.onnx.fresh("last_state"));
  const std::string y = out.onnx.fresh("steps");
  scan.add_output(y);
  out.onnx.set("num_scan_inputs", 1);
  out.onnx.set("scan_input_axes", std::array{steps_axis});
  out.onnx.set("scan_output_axes", std::array{steps_axis});
  out.onnx.set("scan_input_directions", std::array{way});
  out.onnx.set("scan_output_directions", std::array{way});
  ScanBody body(out.onnx.set_graph("body"), out.node);
  const std::string h = body.input("h"), c = A::kHasCells ? body.input("c") : "", x = body.input("x");
  StepOutputs step;
  if constexpr (A::kHasCells)
    step = write_lstm_step(body, recurrent, h, c, x);
  else
    step = write_gru_step(body, recurrent, h, x);
  for (const std::string& each : step.states) body.output(each);
  body.output(step.y);
  out.onnx.add("Identity", {y}, "y");
}

}  // namespace samebits::onnx_forms
