// A package on disk: a folder NAME.samebits with graph.json (nodes, grids, shapes), codes.safetensors (weight
// codes, 4-bit and narrower ones two a byte, scales, biases) and SHA256SUMS of both. Format:
// docs/reference/package.md.
#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace samebits::graph {

/// Writes the package as a temporary folder beside `folder` and renames it; an earlier package is replaced,
/// and its modes are kept. Of a link the folder is replaced that it leads to.
/// Throws std::runtime_error that names the path.
void save_package(const Graph& graph, const std::filesystem::path& folder);

/// Reads and checks a package of version 1 or 2, all of it from the one folder that stands at the path when
/// it begins. Throws std::runtime_error that names the file and the node.
Graph load_package(const std::filesystem::path& folder);

/// Bytes of the package's files together.
std::uintmax_t package_bytes(const std::filesystem::path& folder);

}  // namespace samebits::graph
