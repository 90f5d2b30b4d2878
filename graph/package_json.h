// graph.json and what codes.safetensors holds for it. Format: docs/reference/package.md.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "graph/graph.h"
#include "graph/package_arrays.h"
#include "io/safetensors.h"

namespace samebits::graph {

/// The version that is written.
constexpr int kPackageVersion = 2;

/// The files of a package.
struct PackageText {
  std::string json;
  io::SafetensorsFile arrays;
};

/// graph.json of a graph whose arrays go to `arrays`. Floats are written so that reading gives the same bits.
/// Throws nlohmann::json's exception when a name is not UTF-8.
std::string graph_json(const Graph& graph, ArraySink& arrays);
PackageText to_text(const Graph& graph);

/// Throws GraphError "WHERE: expected A, got B" for the first thing that is not as docs/reference/package.md
/// says. Sizes are in the range of their types and arrays as large as the sizes say, no more: checked_types()
/// decides whether they make sense. From a safetensors file version 1 is read too, and what is read is taken
/// out of it.
Graph graph_of(const nlohmann::json& json, ArraySource& arrays);
Graph graph_of(const nlohmann::json& json, io::SafetensorsFile& arrays);

}  // namespace samebits::graph
