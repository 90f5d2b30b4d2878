// The graph of a model beside its arrays, as the text of graph.json (docs/reference/package.md): with it a
// file of another format holds the whole model, and verify can run it.
#pragma once

#include <string>

#include "graph/graph.h"
#include "graph/package_arrays.h"

namespace samebits {

/// The key under which files hold that text.
constexpr const char* kGraphKey = "samebits.graph";

/// The text of a checked graph whose arrays go to `arrays`. `where` begins messages: "[npz] net.npz".
/// Throws std::runtime_error when a name is not UTF-8.
std::string graph_text(const graph::Graph& graph, graph::ArraySink& arrays, const std::string& where);

/// Throws ArraysError for an array of factors of channels: for formats that know a weight and a bias,
/// and whose readers would leave the factors out.
void refuse_factors(const std::string& array);

/// The graph, checked. Throws std::runtime_error, "WHERE: expected A, got B".
graph::Graph graph_of_text(const std::string& text, graph::ArraySource& arrays, const std::string& where);

}  // namespace samebits
