// graph.json: a graph without its arrays. Format: docs/reference/package.md.
#pragma once

#include <string>

#include "graph/graph.h"

namespace samebits::runtime {

/// What codes.safetensors must hold for a node besides its weight and weight_scale.
struct ArrayFlags {
  bool has_zero_point = false, has_bias = false;
};

/// A graph as graph.json tells it: codes, scales, zero points and biases are empty.
struct GraphDescription {
  Graph graph;
  std::vector<ArrayFlags> arrays;  // one a node
};

/// The text of graph.json. Floats are written so that reading gives the same bits. Throws nlohmann::json's
/// exception when a name is not UTF-8.
std::string to_json(const Graph& graph);

/// Throws JsonError, or GraphError "WHERE: expected A, got B" for the first thing that is not as
/// docs/reference/package.md says. Sizes are in the range of their types, no more: check() decides whether
/// they make sense.
GraphDescription from_json(const std::string& text);

}  // namespace samebits::runtime
