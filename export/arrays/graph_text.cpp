#include "export/arrays/graph_text.h"

#include <nlohmann/json.hpp>

#include "graph/package_json.h"
#include "io/error.h"
#include "io/json.h"

namespace samebits {

std::string graph_text(const graph::Graph& graph, graph::ArraySink& arrays, const std::string& where) {
  graph::check(graph);
  try {
    return graph::graph_json(graph, arrays);
  } catch (const nlohmann::json::exception& error) {
    io::fail(where, ": expected names in UTF-8, got ", io::shortened(error.what()));
  }
}

void refuse_factors(const std::string& array) {
  if (array.ends_with(".channel_scale"))
    throw graph::ArraysError(array +
                             ": expected a layer without factors of channels, such as batch norms leave, got "
                             "one with them; export safetensors, or save a package instead");
}

graph::Graph graph_of_text(const std::string& text, graph::ArraySource& arrays, const std::string& where) {
  try {
    graph::Graph graph = graph::graph_of(io::parse_json(text), arrays);
    checked_types(graph);
    return graph;
  } catch (const io::JsonError& error) {
    io::fail(where, ": ", kGraphKey, ": ", error.what());
  } catch (const graph::GraphError& error) {
    io::fail(where, ": ", error.what());
  }
}

}  // namespace samebits
