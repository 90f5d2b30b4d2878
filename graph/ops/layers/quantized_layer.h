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

/// Throws GraphError unless sizes, scales, zero points and codes of a weight are sound, its rank is that of
/// `layout`
/// ("[out, in]"), the bias has one value for each output or none, and every sum of products with codes of
/// `grid` fits int32.
void check_layer(const Node& node, const kernels::AffineGrid& grid, const quant::QuantizedTensor& weight,
                 const std::vector<float>& bias, std::size_t rank, const char* layout);

/// The same for a float weight.
void check_float_layer(const Node& node, const FloatTensor& weight, const std::vector<float>& bias,
                       std::size_t rank, const char* layout);

}  // namespace samebits::graph
