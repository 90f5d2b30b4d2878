#include "graph/ops/layers/quantized_layer.h"

#include <algorithm>
#include <cmath>

#include "kernels/matmul/linear.h"

namespace samebits::graph {
namespace {

using quant::Encoding;
using quant::Granularity;
using quant::QuantizedTensor;

void check_size(const Node& node, const char* what, std::size_t size, std::int64_t expected) {
  if (size != static_cast<std::uint64_t>(expected))
    fail_node(node, what, ": expected ", expected, " values, got ", size);
}

void check_scale(const Node& node, const char* what, float scale) {
  if (!(scale >= kernels::kMinScale) || std::isinf(scale))
    fail_node(node, what, ": expected a finite value >= 2^-126, got ", scale);
}

void check_range(const Node& node, const char* what, std::int32_t qmin, std::int32_t qmax, int bits) {
  const std::int32_t half = 1 << (bits - 1);
  if (qmin < -half || qmax > half - 1 || qmin >= qmax)
    fail_node(node, what, ": expected ", -half, " <= qmin < qmax <= ", half - 1, ", got qmin ", qmin,
              " and qmax ", qmax);
}

void check_zero_point(const Node& node, const char* what, std::int32_t zero_point, std::int32_t qmin,
                      std::int32_t qmax) {
  if (zero_point < qmin || zero_point > qmax)
    fail_node(node, what, ": expected a zero point in ", qmin, "..", qmax, ", got ", zero_point);
}

void check_depth(const Node& node, const kernels::AffineGrid& grid, const Encoding& encoding,
                 std::int64_t depth) {
  const std::int64_t limit = kernels::max_depth(grid.qmin, grid.qmax, encoding.max_magnitude());
  const std::int64_t sum =
      encoding.granularity == Granularity::kPerGroup ? std::min(depth, encoding.group_size) : depth;
  if (sum > limit)
    fail_node(node, "expected at most ", limit, " products a sum for int32, got ", sum,
              "; use fewer bits or split the layer");
}

void check_arrays(const Node& node, const QuantizedTensor& weight, std::int64_t depth) {
  const Encoding& encoding = weight.encoding;
  check_size(node, "weight", weight.codes.size(), weight.rows() * depth);
  check_size(node, "weight_scale", weight.scale.size(), quant::scale_count(encoding, weight.rows(), depth));
  check_size(node, "weight_zero_point", weight.zero_point.size(),
             encoding.symmetric ? 0 : static_cast<std::int64_t>(weight.scale.size()));
  for (const float scale : weight.scale) check_scale(node, "weight_scale", scale);
  for (const std::int32_t zero_point : weight.zero_point)
    check_zero_point(node, "weight_zero_point", zero_point, encoding.qmin, encoding.qmax);
  const auto [low, high] = std::minmax_element(weight.codes.begin(), weight.codes.end());
  if (*low < encoding.qmin || *high > encoding.qmax)
    fail_node(node, "weight: expected codes in ", encoding.qmin, "..", encoding.qmax, ", got ",
              int{*low < encoding.qmin ? *low : *high});
}

void check_channels(const Node& node, const ChannelValues& channels, std::int64_t count) {
  if (!channels.bias.empty()) check_size(node, "bias", channels.bias.size(), count);
  if (!channels.channel_scale.empty())
    check_size(node, "channel_scale", channels.channel_scale.size(), count);
  for (const float scale : channels.channel_scale)
    if (!std::isfinite(scale)) fail_node(node, "channel_scale: expected finite values, got ", scale);
}

std::int64_t checked_depth(const Node& node, const Sizes& shape, std::size_t rank, const char* layout) {
  if (shape.size() != rank) fail_node(node, "weight: expected shape ", layout, ", got ", io::to_text(shape));
  element_count(node.name + ": weight", shape);
  return element_count(node.name + ": weight", {shape.begin() + 1, shape.end()});
}

}  // namespace

void check_input_grid(const Node& node, const kernels::AffineGrid& grid) {
  check_scale(node, "input_grid", grid.scale);
  check_range(node, "input_grid", grid.qmin, grid.qmax, 8);
  check_zero_point(node, "input_grid", grid.zero_point, grid.qmin, grid.qmax);
}

void check_encoding(const Node& node, const char* what, const Encoding& encoding) {
  if (encoding.bits < 2 || encoding.bits > 8)
    fail_node(node, what, ": expected bits in 2..8, got ", encoding.bits);
  if (!encoding.symmetric && encoding.bits == 8)
    fail_node(node, what, ": expected at most 7 bits of a weight with zero points, got 8");
  check_range(node, what, encoding.qmin, encoding.qmax, encoding.bits);
  if (encoding.symmetric) check_zero_point(node, what, 0, encoding.qmin, encoding.qmax);
  const std::int64_t group_size = encoding.group_size;
  const bool has_groups = encoding.granularity == Granularity::kPerGroup;
  if (has_groups ? group_size < 4 || group_size > kMaxElements || group_size % 4 != 0 : group_size != 0)
    fail_node(node, what, ": expected a group_size that is a multiple of 4, or 0 for none, got ", group_size);
}

void check_layer(const Node& node, const kernels::AffineGrid& grid, const QuantizedTensor& weight,
                 const ChannelValues& channels, std::size_t rank, const char* layout) {
  check_input_grid(node, grid);
  check_encoding(node, "weight", weight.encoding);
  const std::int64_t depth = checked_depth(node, weight.shape, rank, layout);
  check_arrays(node, weight, depth);
  check_channels(node, channels, weight.rows());
  check_depth(node, grid, weight.encoding, depth);
}

void check_float_layer(const Node& node, const FloatTensor& weight, const ChannelValues& channels,
                       std::size_t rank, const char* layout) {
  const std::int64_t depth = checked_depth(node, weight.shape, rank, layout);
  check_size(node, "weight", weight.values.size(), weight.shape[0] * depth);
  check_channels(node, channels, weight.shape[0]);
}

void check_table(const Node& node, const QuantizedTensor& table, std::size_t rank, const char* layout) {
  check_encoding(node, "weight", table.encoding);
  if (!table.encoding.symmetric || table.encoding.granularity != Granularity::kPerChannel)
    fail_node(node, "weight: expected a symmetric grid a row, got ", quant::to_text(table.encoding));
  check_arrays(node, table, checked_depth(node, table.shape, rank, layout));
}

}  // namespace samebits::graph
