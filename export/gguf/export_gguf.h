// A model's linear layers as a GGUF file: weights in blocks of 32 with float16 scales, everything else
// as F32. Format: docs/reference/gguf.md.
#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace samebits {

/// Lossless: a weight's reals are those of the graph, or it is refused. Throws std::runtime_error like
/// graph::check() and io::write_gguf(), and "[gguf] PATH: NODE.weight: expected A, got B; way out" for a
/// weight that no type of GGUF holds to the bit.
void export_gguf(const graph::Graph& graph, const std::filesystem::path& path);

/// The graph of such a file, checked. Throws std::runtime_error that names the file and the tensor.
graph::Graph load_gguf(const std::filesystem::path& path);

}  // namespace samebits
