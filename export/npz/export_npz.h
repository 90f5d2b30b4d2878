// A model as a NumPy archive: the arrays of export/arrays/plain_arrays.h, and its graph as an array of
// bytes. Format: docs/reference/npz.md.
#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace samebits {

/// Throws std::runtime_error like graph::check() and io::write_npz().
void export_npz(const graph::Graph& graph, const std::filesystem::path& path);

/// The graph of such a file, checked. Throws std::runtime_error that names the file and the array.
graph::Graph load_npz(const std::filesystem::path& path);

}  // namespace samebits
