// Graphs of one layer written as ONNX, and the parts of what was written.
#pragma once

#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "export/onnx/export_onnx.h"
#include "onnx.pb.h"
#include "tests/export/random_graph.h"

namespace samebits {

inline std::string exported_bytes(const graph::Graph& graph, OnnxStyle style = OnnxStyle::kInteger) {
  const std::string path = testing::TempDir() + "samebits_export_onnx_test.onnx";
  export_onnx(graph, path, style);
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  std::filesystem::remove(path);
  return bytes.str();
}

inline onnx::ModelProto exported(const graph::Graph& graph, OnnxStyle style = OnnxStyle::kInteger) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(exported_bytes(graph, style)));
  return model;
}

inline std::string ops(const graph::Graph& graph, OnnxStyle style = OnnxStyle::kInteger) {
  const onnx::ModelProto model = exported(graph, style);
  std::string text;
  for (const auto& node : model.graph().node()) text += (text.empty() ? "" : " ") + node.op_type();
  return text;
}

/// `model` must outlive the result.
inline const onnx::TensorProto& constant(const onnx::ModelProto& model, const std::string& name) {
  for (const auto& tensor : model.graph().initializer())
    if (tensor.name() == name) return tensor;
  throw std::runtime_error("no constant " + name);
}

template <class T>
std::vector<T> values(const onnx::TensorProto& tensor) {
  std::vector<T> result(tensor.raw_data().size() / sizeof(T));
  std::memcpy(result.data(), tensor.raw_data().data(), tensor.raw_data().size());
  return result;
}

/// One linear layer "linear_0": 2 outputs of 3 inputs.
inline graph::Graph small_linear() {
  GraphBuilder builder("small", 1, {3});
  builder.add_linear({}, {2, 3});
  graph::Linear& linear = builder.linear();
  linear.input_grid = kernels::AffineGrid{0.1f, 3, -128, 127};
  linear.weight.scale = {0.3f, 0.7f};
  linear.weight.codes = {1, -2, 3, 40, 50, -60};
  linear.bias = {0.5f, -0.5f};
  return builder.graph;
}
inline graph::Linear& linear_of(graph::Graph& graph) {
  return graph.nodes[0].as<graph::Linear>();
}

inline graph::Graph one_linear(const Scheme& scheme, std::int64_t in) {
  GraphBuilder builder("one", 7, {in});
  builder.add_linear(scheme, {2, in});
  return builder.graph;
}
inline graph::Graph one_conv2d(const Scheme& scheme, std::int64_t in) {
  GraphBuilder builder("one", 7, {in, 5, 5});
  builder.add_conv2d(scheme, {2, in, 3, 3});
  return builder.graph;
}

template <class A>
graph::Graph one_op(const A& attributes, const graph::Sizes& image = {2, 5, 5}) {
  GraphBuilder builder("one", 7, image);
  builder.add(attributes);
  return builder.graph;
}

}  // namespace samebits
