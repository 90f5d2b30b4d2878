// A model as one safetensors file: the arrays of export/arrays/plain_arrays.h, and its graph in the
// metadata. Format: docs/reference/safetensors.md.
#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace samebits {

/// Throws std::runtime_error like graph::check() and io::write_safetensors().
void export_safetensors(const graph::Graph& graph, const std::filesystem::path& path);

/// The graph of such a file, checked. Throws std::runtime_error that names the file and the tensor.
graph::Graph load_safetensors(const std::filesystem::path& path);

}  // namespace samebits
