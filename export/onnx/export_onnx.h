// The ONNX writer: a graph as a file whose integers and roundings are those of the numerics contract, so that
// every engine that keeps to the ONNX specification gives the bits of the training forward. Torch-free. The
// form, and why it is this one, is in docs/reference/onnx.md.
#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace samebits {

/// Writes `graph` to `path` as ONNX opset 21, IR version 10. Inputs and outputs keep their names; sizes that
/// depend on the batch are dynamic, "batch". The bytes depend on the graph alone, and `path` is replaced
/// whole or not at all. Throws std::runtime_error like graph::check(graph) and write_file_atomically(), and
/// for a model of 2 GiB or more, which protobuf cannot hold. NaN inputs are not covered: ONNX leaves their
/// codes to the engine.
void export_onnx(const graph::Graph& graph, const std::filesystem::path& path);

}  // namespace samebits
