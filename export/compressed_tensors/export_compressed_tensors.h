// A model's linear layers as a compressed-tensors checkpoint: a folder with model.safetensors and
// config.json, which vLLM and the Python package of that name read. Format:
// docs/reference/compressed_tensors.md.
#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace samebits {

/// Writes the folder's two files, each whole or not at all; other files in it stay. Lossless: a
/// weight's reals and the grid of each layer's input are those of the graph. Throws
/// std::runtime_error like graph::check() and io::write_safetensors(), and "[compressed_tensors]
/// PATH: NODE: expected A, got B" for what the format cannot say: quantized layers other than linear,
/// groups that do not divide in_features, a range of input codes that is not that of whole bits.
void export_compressed_tensors(const graph::Graph& graph, const std::filesystem::path& folder);

/// The graph of such a folder, checked, of its model.safetensors alone. Throws std::runtime_error
/// that names the file and the tensor.
graph::Graph load_compressed_tensors(const std::filesystem::path& folder);

}  // namespace samebits
