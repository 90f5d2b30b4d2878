// graph.json and what codes.safetensors holds for it. Format: docs/reference/package.md.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "graph/graph.h"
#include "io/safetensors.h"

namespace samebits::graph {

/// The version that is written.
constexpr int kPackageVersion = 2;

/// The files of a package.
struct PackageText {
  std::string json;
  io::SafetensorsFile arrays;
};

/// Floats are written so that reading gives the same bits. Throws nlohmann::json's exception when a name is
/// not UTF-8.
PackageText to_text(const Graph& graph);

/// Throws GraphError "WHERE: expected A, got B" for the first thing that is not as docs/reference/package.md
/// says. Sizes are in the range of their types and arrays as large as the sizes say, no more: checked_types()
/// decides whether they make sense. What is read is taken out of `arrays`.
Graph graph_of(const nlohmann::json& json, io::SafetensorsFile& arrays);

}  // namespace samebits::graph
