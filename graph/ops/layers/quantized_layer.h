// What linear and conv2d check alike: the input's grid and the weight.
#pragma once

#include "graph/graph.h"
#include "kernels/common/affine.h"
#include "quant/quantized_tensor.h"

namespace samebits::graph {

/// Throws GraphError unless `grid` is one that kernels take.
void check_input_grid(const Node& node, const kernels::AffineGrid& grid);

/// Throws GraphError unless `encoding` describes integer codes that kernels take. `what` begins its messages.
void check_encoding(const Node& node, const char* what, const quant::Encoding& encoding);

/// What a layer may have of its outputs; empty: none.
struct ChannelValues {
  const std::vector<float>&bias, &channel_scale;
};
template <class Layer>
ChannelValues channel_values(const Layer& layer) {
  return {layer.bias, layer.channel_scale};
}

/// Throws GraphError unless sizes, scales, zero points and codes of a weight are sound, its rank is that of
/// `layout`
/// ("[out, in]"), `channels` have one value for each output or none, factors are finite, and every sum of
/// products with codes of `grid` fits int32.
void check_layer(const Node& node, const kernels::AffineGrid& grid, const quant::QuantizedTensor& weight,
                 const ChannelValues& channels, std::size_t rank, const char* layout);

/// The same for a float weight.
void check_float_layer(const Node& node, const FloatTensor& weight, const ChannelValues& channels,
                       std::size_t rank, const char* layout);

/// Throws GraphError unless sizes, scales and codes of a table are sound, its rank is that of `layout`, and
/// it has a symmetric grid a row.
void check_table(const Node& node, const quant::QuantizedTensor& table, std::size_t rank, const char* layout);

}  // namespace samebits::graph
