// One function an op. Window formulas are LibTorch's (aten/src/ATen/native/Pool.h).
#include "graph/shapes.h"

namespace samebits::runtime {
namespace {

void check_rank(const Node& node, const Shape& input, std::size_t rank, const char* layout) {
  if (input.size() != rank)
    fail_node(node, "expected an input of shape ", layout, ", got ", io::to_text(input));
}

Shape linear_shape(const Node& node, const Shape& input) {
  const Shape& weight = node.weight->shape;
  if (input.size() < 2 || input.back() != weight[1])
    fail_node(node, "expected an input of shape [batch, ..., ", weight[1], "] for its weight, got ",
              io::to_text(input));
  Shape shape = input;
  shape.back() = weight[0];
  return shape;
}

/// Positions of a window of `kernel` along a dimension of `size`.
std::int64_t window_positions(const Node& node, std::int64_t size, std::int64_t kernel, std::size_t axis) {
  const Window& window = node.window;
  const std::int64_t stride = window.stride[axis], padding = window.padding[axis];
  const std::int64_t span = window.dilation[axis] * (kernel - 1) + 1;
  const bool is_ceil = node.op == Op::kMaxPool2d && window.ceil_mode;
  // With ceil_mode a last window may reach beyond the padded input, even when it is the only one.
  const std::int64_t room = size + 2 * padding - span + (is_ceil ? stride - 1 : 0);
  if (room < 0)
    fail_node(node, "expected a window within ", size + 2 * padding, " padded elements, got ", span);
  std::int64_t positions = room / stride + 1;
  // It must begin inside the input or its left padding.
  if (is_ceil && (positions - 1) * stride >= size + padding) --positions;
  return positions;
}

void check_window(const Node& node) {
  const Window& window = node.window;
  for (const auto* sizes : {&window.kernel, &window.stride, &window.dilation})
    for (const std::int64_t size : *sizes)
      if (size < 1 || size > kMaxWindow)
        fail_node(node, "expected kernel, stride and dilation in 1..", kMaxWindow, ", got ", size);
  for (const std::int64_t padding : window.padding)
    if (padding < 0 || padding > kMaxWindow)
      fail_node(node, "expected padding in 0..", kMaxWindow, ", got ", padding);
}

Shape conv2d_shape(const Node& node, const Shape& input) {
  check_rank(node, input, 4, "[batch, channels, height, width]");
  check_window(node);
  const Shape& weight = node.weight->shape;
  const std::int64_t groups = node.window.groups;
  if (groups < 1 || weight[0] % groups != 0)
    fail_node(node, "expected groups that divide ", weight[0], " output channels, got ", groups);
  // Divided, not multiplied: sizes come from files.
  if (input[1] % groups != 0 || input[1] / groups != weight[1])
    fail_node(node, "expected ", weight[1], " input channels in each of ", groups,
              " groups, got an input of ", io::to_text(input));
  return {input[0], weight[0], window_positions(node, input[2], weight[2], 0),
          window_positions(node, input[3], weight[3], 1)};
}

Shape pool_shape(const Node& node, const Shape& input) {
  check_rank(node, input, 4, "[batch, channels, height, width]");
  check_window(node);
  const Window& window = node.window;
  if (node.op == Op::kAvgPool2d && window.dilation != std::array<std::int64_t, 2>{1, 1})
    fail_node(node, "expected dilation [1, 1] of an average pool, got ",
              io::to_text({window.dilation[0], window.dilation[1]}));
  if (window.ceil_mode && node.op == Op::kAvgPool2d)
    fail_node(node, "expected no ceil_mode of an average pool");
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t limit = window.kernel[axis] / 2;
    if (window.padding[axis] > limit)
      fail_node(node, "expected padding of at most half the kernel, ", limit, ", got ", window.padding[axis]);
  }
  return {input[0], input[1], window_positions(node, input[2], window.kernel[0], 0),
          window_positions(node, input[3], window.kernel[1], 1)};
}

Shape flatten_shape(const Node& node, const Shape& input) {
  const auto rank = static_cast<std::int64_t>(input.size());
  if (node.start_dim < 1 || node.start_dim >= rank)
    fail_node(node, "expected start_dim in 1..", rank - 1, " for an input of shape ", io::to_text(input),
              ", got ", node.start_dim);
  Shape shape(input.begin(), input.begin() + node.start_dim);
  std::int64_t size = 1;
  for (std::int64_t i = node.start_dim; i < rank; ++i) size *= input[static_cast<std::size_t>(i)];
  shape.push_back(size);
  return shape;
}

}  // namespace

std::int64_t element_count(const std::string& name, std::span<const std::int64_t> sizes) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) {
    if (size < 1 || size > kMaxElements / count)
      throw io::GraphError(io::join(name, ": expected sizes >= 1 of at most ", kMaxElements,
                                    " elements together, got ", io::to_text({sizes.begin(), sizes.end()})));
    count *= size;
  }
  return count;
}

std::int64_t elements_per_image(const std::string& name, const Shape& shape) {
  return element_count(name, std::span(shape).subspan(1));
}

Shape output_shape(const Node& node, const std::vector<Shape>& inputs) {
  switch (node.op) {
    case Op::kLinear:
      return linear_shape(node, inputs[0]);
    case Op::kConv2d:
      return conv2d_shape(node, inputs[0]);
    case Op::kMaxPool2d:
    case Op::kAvgPool2d:
      return pool_shape(node, inputs[0]);
    case Op::kFlatten:
      return flatten_shape(node, inputs[0]);
    case Op::kAdd:
      if (inputs[0] != inputs[1])
        fail_node(node, "expected two inputs of one shape, got ", io::to_text(inputs[0]), " and ",
                  io::to_text(inputs[1]));
      return inputs[0];
    case Op::kRelu:
      return inputs[0];
  }
  fail_node(node, "expected a known op, got ", static_cast<int>(node.op));
}

}  // namespace samebits::runtime
