// The ONNX writer. Torch-free. Its first style is a file whose integers and roundings are those of the
// numerics contract, so that every engine that keeps to the ONNX specification gives the bits of the training
// forward; the others are QuantizeLinear and DequantizeLinear around float operators, for engines that fuse
// these. The forms, and why they are these, are in docs/reference/onnx.md.
#pragma once

#include <filesystem>
#include <string>

#include "graph/graph.h"

namespace samebits {

enum class OnnxStyle {
  kInteger,   // the bits of the training forward
  kQdq,       // QDQ with the codes of the graph and int32 biases: ONNX Runtime and OpenVINO fuse it
  kTensorrt,  // the same with float32 biases and INT8 for weights without groups, as TensorRT takes it
};

/// Writes `graph` to `path` as ONNX opset 21, IR version 10. Inputs and outputs keep their names; sizes that
/// depend on the batch are dynamic, "batch". The bytes depend on the graph alone, and `path` is replaced
/// whole or not at all. Throws std::runtime_error like graph::check(graph) and write_file_atomically(), for a
/// model of 2 GiB or more, which protobuf cannot hold, and in the style kTensorrt for a graph that breaks a
/// rule of export/onnx/tensorrt_rules.h. NaN inputs are not covered: ONNX leaves their codes to the engine.
void export_onnx(const graph::Graph& graph, const std::filesystem::path& path,
                 OnnxStyle style = OnnxStyle::kInteger);

/// The value of a QDQ file that is the codes of the input of a layer, by the layer's name: "fc1/x_codes".
inline std::string qdq_input_codes(const std::string& layer) {
  return layer + "/x_codes";
}

/// The style that an ONNX file says it has; kInteger where it says none. Throws std::runtime_error that names
/// the file when it is no ONNX file.
OnnxStyle onnx_style(const std::filesystem::path& path);

}  // namespace samebits
