// What the shape rules of softmax and of the norms share.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

/// Throws GraphError unless the input is float32 and has dimension `dim`.
void check_dim(const Node& node, const TensorType& input, std::int64_t dim);
/// Throws GraphError unless the input is float32 and its last `dims` dimensions are numbers, whose product a
/// weight and a bias have as many elements as, where they are not empty; and unless eps is finite and >= 0.
void check_normalized(const Node& node, const TensorType& input, std::int64_t dims, float eps,
                      const std::vector<float>& weight, const std::vector<float>& bias);
/// Throws GraphError unless the input is float32 [batch, channels, ...]; how many channels it has.
std::int64_t checked_channels(const Node& node, const TensorType& input);
/// Throws GraphError unless `values` is empty or has an element a channel.
void check_channel_values(const Node& node, const char* key, const std::vector<float>& values,
                          std::int64_t channels);

}  // namespace samebits::graph
