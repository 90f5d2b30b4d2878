#include "graph/ops/normalize/normalized.h"

#include <cmath>

namespace samebits::graph {

void check_dim(const Node& node, const TensorType& input, std::int64_t dim) {
  check_float(node, input);
  if (dim < 0 || dim >= static_cast<std::int64_t>(input.shape.size()))
    fail_node(node, "expected dim in 0..", static_cast<std::int64_t>(input.shape.size()) - 1,
              " for an input of shape ", to_text(input.shape), ", got ", dim);
}

void check_normalized(const Node& node, const TensorType& input, std::int64_t dims, float eps,
                      const std::vector<float>& weight, const std::vector<float>& bias) {
  check_float(node, input);
  const auto rank = static_cast<std::int64_t>(input.shape.size());
  if (dims < 1 || dims > rank)
    fail_node(node, "expected dims in 1..", rank, " for an input of shape ", to_text(input.shape), ", got ",
              dims);
  if (!std::isfinite(eps) || eps < 0) fail_node(node, "expected a finite eps >= 0, got ", eps);
  Sizes sizes;
  for (std::int64_t dim = rank - dims; dim < rank; ++dim)
    sizes.push_back(number(node, input, static_cast<std::size_t>(dim)));
  const std::int64_t count = element_count(node.name, sizes);
  for (const auto& [key, values] : {std::pair{"weight", &weight}, {"bias", &bias}})
    if (!values->empty() && static_cast<std::int64_t>(values->size()) != count)
      fail_node(node, key, ": expected ", count, " elements, got ", values->size());
}

std::int64_t checked_channels(const Node& node, const TensorType& input) {
  check_float(node, input);
  if (input.shape.size() < 2)
    fail_node(node, "expected an input of shape [batch, channels, ...], got ", to_text(input.shape));
  return number(node, input, 1);
}

void check_channel_values(const Node& node, const char* key, const std::vector<float>& values,
                          std::int64_t channels) {
  if (!values.empty() && static_cast<std::int64_t>(values.size()) != channels)
    fail_node(node, key, ": expected ", channels, " elements, one a channel, got ", values.size());
}

}  // namespace samebits::graph
