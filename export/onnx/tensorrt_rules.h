// What TensorRT asks of a quantized network, by NVIDIA's documentation of its Quantize and Dequantize layers.
// A file of another kind is refused when an engine is built from it, by the name of an inner node; here by
// the name of the layer, before. Torch-free.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace samebits {

struct TensorrtFinding {
  std::string node;  // of the graph
  std::string rule;  // "symmetric_input": a word of docs/reference/onnx.md
  std::string text;  // "expected input zero point 0, got 3; set activation: {symmetric: true}"
};

/// Every rule that a layer breaks, in the order of the nodes; nothing of a graph that TensorRT takes.
std::vector<TensorrtFinding> tensorrt_findings(const graph::Graph& graph);

/// "fc1: symmetric_input: expected …".
std::string to_text(const TensorrtFinding& finding);

}  // namespace samebits
