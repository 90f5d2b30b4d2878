// A model as one C99 header, for processors without an operating system: arrays, static memory, and a
// function that computes one item. Its bits are those of the runtime. Format:
// docs/reference/c_header.md.
#pragma once

#include <filesystem>
#include <string>

#include "graph/graph.h"

namespace samebits {

/// Names in the header begin with that of the graph, made a C identifier. Throws std::runtime_error like
/// graph::check() and io::write_file_atomically(), and "[c_header] PATH: NODE: expected A, got B" for
/// what a header cannot hold: an operator without a form here, sizes that depend on more than the
/// batch, more than 16 MiB of arrays or of values.
void export_c_header(const graph::Graph& graph, const std::filesystem::path& path);

/// The text of that header; `where` begins messages.
std::string c_header(const graph::Graph& graph, const std::string& where);

}  // namespace samebits
