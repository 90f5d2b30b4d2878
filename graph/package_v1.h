// Packages of version 1, which had one input and one output, windows as objects of their own, and
// granularities that only the shapes of scales told.
#pragma once

#include <nlohmann/json.hpp>

#include "io/safetensors.h"

namespace samebits::graph {

/// The same graph.json as version 2 writes it. Keys that version 1 did not have stay, so that the reader
/// refuses them. Throws GraphError where version 1's own keys are missing or of another kind.
nlohmann::json upgraded_from_v1(const nlohmann::json& json, const io::SafetensorsFile& arrays);

}  // namespace samebits::graph
