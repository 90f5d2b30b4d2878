// A model as named arrays that any program can compute with: codes one int8 each, in the weight's shape,
// whatever their bits; scales and zero points beside them: real = (code - zero_point) * scale.
#pragma once

#include <string>

#include "graph/graph.h"
#include "io/safetensors.h"

namespace samebits {

/// NODE.weight I8 (F32 of a float layer), NODE.weight_scale F32, NODE.weight_zero_point I8 where it is not
/// symmetric, NODE.bias and NODE.channel_scale F32.
struct PlainArrays {
  std::string graph;
  io::SafetensorsFile arrays;
};

/// `where` begins messages: "[npz] net.npz". Throws like graph_text().
PlainArrays plain_arrays(const graph::Graph& graph, const std::string& where);

/// The graph back, checked. Throws like graph_of_text().
graph::Graph graph_of(PlainArrays plain, const std::string& where);

}  // namespace samebits
