// The form of each op in ONNX. Integers go through MatMulInteger and ConvInteger, whose sums are int32 by
// specification; everything after them is one element-wise float32 operation a rounding, in the order of the
// numerics contract. docs/reference/onnx.md says why each form is what it is.
#include "export/onnx/export_onnx.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "export/onnx/onnx_builder.h"
#include "graph/shapes.h"
#include "io/atomic_file.h"
#include "io/error.h"
#include "onnx.pb.h"

namespace samebits {
namespace {

using runtime::Graph;
using runtime::Node;
using runtime::Op;
using runtime::Shape;
using runtime::Weight;
using runtime::Window;

// x86-64 without VNNI multiplies unsigned by signed bytes and adds two such products in 16 bits, saturating.
// The form never lets an engine get there: a pair of products that could pass this limit is unsigned by
// unsigned.
constexpr std::int64_t kPairLimit = std::numeric_limits<std::int16_t>::max();

/// Weight codes minus their zero points, as the sums see them.
struct CenteredWeight {
  std::vector<std::int32_t> values;  // as Weight::codes
  std::int32_t min = 0, max = 0;     // of values, and 0

  std::int64_t magnitude() const { return std::max(-min, max); }
};

CenteredWeight centered(const Weight& weight) {
  CenteredWeight result;
  const std::int64_t rows = weight.shape[0];
  const std::int64_t columns =
      static_cast<std::int64_t>(weight.codes.size()) / std::max<std::int64_t>(rows, 1);
  const std::int64_t group_size = weight.group_size == 0 ? columns : weight.group_size;
  const std::int64_t groups = weight.group_size == 0 ? 1 : (columns + group_size - 1) / group_size;
  const auto zero_point = [&](std::int64_t i) {
    if (weight.zero_point.empty()) return 0;
    if (weight.zero_point.size() == 1) return weight.zero_point[0];
    return weight.zero_point[i / columns * groups + i % columns / group_size];
  };
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const std::int32_t value = weight.codes[i] - zero_point(i);
    result.values.push_back(value);
    result.min = std::min(result.min, value);
    result.max = std::max(result.max, value);
  }
  return result;
}

/// x scale times weight scale of each output channel, rounded once.
std::vector<float> channel_scales(const Node& node) {
  const Weight& weight = *node.weight;
  std::vector<float> scales(weight.shape[0]);
  for (std::size_t c = 0; c < scales.size(); ++c) {
    scales[c] = node.input_grid->scale * weight.scale[weight.scale.size() == 1 ? 0 : c];
  }
  return scales;
}

void describe(onnx::ValueInfoProto& value, const std::string& name, const Shape& shape) {
  value.set_name(name);
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    auto& dimension = *type.mutable_shape()->add_dim();
    if (axis == 0) {
      dimension.set_dim_param("batch");
    } else {
      dimension.set_dim_value(shape[axis]);
    }
  }
}

class Writer {
 public:
  /// `shapes`: of the input and of every node's output.
  Writer(const Graph& graph, const std::vector<Shape>& shapes, onnx::GraphProto& proto);
  void write();

 private:
  /// Names of a layer's input codes and of their zero point.
  struct Input {
    std::string codes, zero_point;
  };
  Input quantize_input(const Node& node, bool is_unsigned);
  std::string scale_and_bias(const Node& node, std::string y, std::span<const float> scales,
                             const Shape& shape);
  std::string add_zero(const std::string& y);
  void write_node(const Node& node, const Shape& output);
  void write_linear(const Node& node);
  void write_grouped_linear(const Node& node);
  std::string group_total(const Node& node, const CenteredWeight& weight, const Input& x, std::int64_t group,
                          const std::string& codes);
  std::string matmul(const Node& node, const CenteredWeight& weight, const Input& x, const std::string& codes,
                     std::int64_t first, std::int64_t last);
  void write_conv2d(const Node& node);
  void write_max_pool2d(const Node& node);
  void write_avg_pool2d(const Node& node);
  void write_flatten(const Node& node, const Shape& output);

  const Graph& graph_;
  const std::vector<Shape>& shapes_;
  onnx::GraphProto& proto_;
  OnnxBuilder onnx_;
};

std::set<std::string> value_names(const Graph& graph) {
  std::set<std::string> names = {graph.input};
  for (const Node& node : graph.nodes) names.insert(node.output);
  return names;
}

Writer::Writer(const Graph& graph, const std::vector<Shape>& shapes, onnx::GraphProto& proto)
    : graph_(graph), shapes_(shapes), proto_(proto), onnx_(proto, value_names(graph)) {}

void Writer::write() {
  proto_.set_name(graph_.name);
  describe(*proto_.add_input(), graph_.input, shapes_[0]);
  std::size_t output = 0;  // place in shapes_
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    onnx_.start_layer(node.name);
    write_node(node, shapes_[i + 1]);
    onnx_.write_to(node.output);
    if (node.output == graph_.output) output = i + 1;
  }
  describe(*proto_.add_output(), graph_.output, shapes_[output]);
}

void Writer::write_node(const Node& node, const Shape& output) {
  switch (node.op) {
    case Op::kLinear:
      return node.weight->group_size == 0 ? write_linear(node) : write_grouped_linear(node);
    case Op::kConv2d:
      return write_conv2d(node);
    case Op::kMaxPool2d:
      return write_max_pool2d(node);
    case Op::kAvgPool2d:
      return write_avg_pool2d(node);
    case Op::kFlatten:
      return write_flatten(node, output);
    case Op::kRelu:
      onnx_.add("Relu", node.inputs, "relu");
      return;
    case Op::kAdd:
      onnx_.add("Add", node.inputs, "add");
      return;
  }
}

// Unsigned codes start at 0: QuantizeLinear saturates there by itself.
Writer::Input Writer::quantize_input(const Node& node, bool is_unsigned) {
  const kernels::AffineGrid& grid = *node.input_grid;
  const std::int32_t offset = is_unsigned ? -grid.qmin : 0;
  const auto code = [&](const char* what, std::int32_t value) {
    return onnx_.codes(what, {&value, 1}, offset, is_unsigned, {});
  };
  const std::string scale = onnx_.constant("x_scale", {&grid.scale, 1}, {});
  const std::string zero_point = code("x_zero_point", grid.zero_point);
  std::string codes = onnx_.add("QuantizeLinear", {node.inputs[0], scale, zero_point}, "x_codes");
  if (grid.qmax - grid.qmin < 255) {
    codes = onnx_.add("Clip", {codes, code("qmin", grid.qmin), code("qmax", grid.qmax)}, "x_clipped");
  }
  return {codes, zero_point};
}

std::string Writer::scale_and_bias(const Node& node, std::string y, std::span<const float> scales,
                                   const Shape& shape) {
  y = onnx_.add("Mul", {y, onnx_.constant("scale", scales, scales.size() == 1 ? Shape{} : shape)}, "scaled");
  if (node.bias.empty()) return y;
  if (node.bias == std::vector<float>{0.0f} && !std::signbit(node.bias[0])) return add_zero(y);
  return onnx_.add("Add", {y, onnx_.constant("bias", node.bias, shape)}, "biased");
}

// y + 0, which is y but for the sign of a zero. As an Add of one 0 it would be optimized away.
std::string Writer::add_zero(const std::string& y) {
  const float zero = 0.0f;
  const std::string constant = onnx_.constant("zero", {&zero, 1}, {});
  return onnx_.add("Where", {onnx_.add("Equal", {y, constant}, "is_zero"), constant, y}, "plus_zero");
}

std::string Writer::matmul(const Node& node, const CenteredWeight& weight, const Input& x,
                           const std::string& codes, std::int64_t first, std::int64_t last) {
  const std::int64_t out_features = node.weight->shape[0], in_features = node.weight->shape[1];
  std::vector<std::int32_t> transposed;
  for (std::int64_t i = first; i < last; ++i) {
    for (std::int64_t c = 0; c < out_features; ++c) transposed.push_back(weight.values[c * in_features + i]);
  }
  const std::int64_t x_span = node.input_grid->qmax - node.input_grid->qmin;
  const bool is_unsigned = 2 * x_span * weight.magnitude() > kPairLimit;
  const std::int32_t offset = is_unsigned ? -weight.min : 0;
  std::vector<std::string> inputs = {
      codes, onnx_.codes("weight", transposed, offset, is_unsigned, {last - first, out_features}),
      x.zero_point};
  const std::int32_t zero = 0;
  if (is_unsigned) inputs.push_back(onnx_.codes("weight_zero_point", {&zero, 1}, offset, true, {}));
  const std::string sums = onnx_.add("MatMulInteger", inputs, "sums");
  const std::string real = onnx_.add("Cast", {sums}, "sums_float");
  onnx_.set("to", onnx::TensorProto::FLOAT);
  return real;
}

void Writer::write_linear(const Node& node) {
  const Input x = quantize_input(node, true);
  const std::string sums = matmul(node, centered(*node.weight), x, x.codes, 0, node.weight->shape[1]);
  scale_and_bias(node, sums, channel_scales(node), {node.weight->shape[0]});
}

std::string Writer::group_total(const Node& node, const CenteredWeight& weight, const Input& x,
                                std::int64_t group, const std::string& codes) {
  const std::int64_t out_features = node.weight->shape[0], in_features = node.weight->shape[1];
  const std::int64_t group_size = node.weight->group_size;
  const std::int64_t groups = (in_features + group_size - 1) / group_size;
  std::vector<float> scales(out_features);
  for (std::int64_t c = 0; c < out_features; ++c) scales[c] = node.weight->scale[c * groups + group];
  const std::string sums =
      matmul(node, weight, x, codes, group * group_size, std::min((group + 1) * group_size, in_features));
  return onnx_.add("Mul", {sums, onnx_.constant("group_scale", scales, {out_features})}, "group");
}

void Writer::write_grouped_linear(const Node& node) {
  const std::int64_t in_features = node.weight->shape[1], group_size = node.weight->group_size;
  const Input x = quantize_input(node, true);
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < in_features; i += group_size) {
    sizes.push_back(std::min(group_size, in_features - i));
  }
  std::vector<std::string> parts = {x.codes};
  if (sizes.size() > 1) {
    parts[0] = onnx_.add("Split", {x.codes, onnx_.constant("group_sizes", sizes)}, "group_codes");
    onnx_.set("axis", -1);
    onnx::NodeProto& split = onnx_.last();
    for (std::size_t g = 1; g < sizes.size(); ++g) {
      parts.push_back(onnx_.fresh("group_codes"));
      split.add_output(parts.back());
    }
  }
  const CenteredWeight weight = centered(*node.weight);
  std::string total = group_total(node, weight, x, 0, parts[0]);
  for (std::size_t g = 1; g < parts.size(); ++g) {
    total = onnx_.add("Add", {total, group_total(node, weight, x, g, parts[g])}, "total");
  }
  scale_and_bias(node, total, {&node.input_grid->scale, 1}, {node.weight->shape[0]});
}

// ConvInteger multiplies weights by patches, so here the unsigned side is the weight.
void Writer::write_conv2d(const Node& node) {
  const Weight& layer = *node.weight;
  const Window& window = node.window;
  const CenteredWeight weight = centered(layer);
  const std::int64_t x_magnitude = std::max(-node.input_grid->qmin, node.input_grid->qmax);
  const bool fits_pairs = 2 * x_magnitude * (weight.max - weight.min) <= kPairLimit;
  const Input x = quantize_input(node, !fits_pairs);
  const std::int32_t offset = -weight.min, zero = 0;
  const std::string sums =
      onnx_.add("ConvInteger",
                {x.codes, onnx_.codes("weight", weight.values, offset, true, layer.shape), x.zero_point,
                 onnx_.codes("weight_zero_point", {&zero, 1}, offset, true, {})},
                "sums");
  onnx_.set("kernel_shape", std::array{layer.shape[2], layer.shape[3]});
  onnx_.set("pads", std::array{window.padding[0], window.padding[1], window.padding[0], window.padding[1]});
  onnx_.set("strides", window.stride);
  onnx_.set("dilations", window.dilation);
  onnx_.set("group", window.groups);
  const std::string real = onnx_.add("Cast", {sums}, "sums_float");
  onnx_.set("to", onnx::TensorProto::FLOAT);
  scale_and_bias(node, real, channel_scales(node), {layer.shape[0], 1, 1});
}

void Writer::write_max_pool2d(const Node& node) {
  const Window& window = node.window;
  onnx_.add("MaxPool", node.inputs, "max");
  onnx_.set("kernel_shape", window.kernel);
  onnx_.set("pads", std::array{window.padding[0], window.padding[1], window.padding[0], window.padding[1]});
  onnx_.set("strides", window.stride);
  onnx_.set("dilations", window.dilation);
  onnx_.set("ceil_mode", window.ceil_mode ? 1 : 0);
}

// AveragePool leaves the order of its additions to the engine. One strided slice an element of the window,
// added in row-major order, fixes it.
void Writer::write_avg_pool2d(const Node& node) {
  const Window& window = node.window;
  const std::int64_t height = window.kernel[0], width = window.kernel[1];
  const float count = static_cast<float>(height * width), zero = 0.0f;
  std::string x = node.inputs[0];
  if (window.padding[0] != 0 || window.padding[1] != 0) {
    const std::int64_t pads[] = {0, 0, window.padding[0], window.padding[1],
                                 0, 0, window.padding[0], window.padding[1]};
    x = onnx_.add("Pad", {x, onnx_.constant("pads", pads), onnx_.constant("pad", {&zero, 1}, {})}, "padded");
  }
  const std::string axes = onnx_.constant("axes", std::array<std::int64_t, 2>{2, 3});
  const std::string steps = onnx_.constant("steps", window.stride);
  std::string sum;
  for (std::int64_t i = 0; i < height; ++i) {
    for (std::int64_t j = 0; j < width; ++j) {
      const auto end = [](std::int64_t offset, std::int64_t kernel) {  // so that the whole window fits
        return offset + 1 == kernel ? std::numeric_limits<std::int64_t>::max() : offset + 1 - kernel;
      };
      const std::string begins = onnx_.constant("begins", std::array{i, j});
      const std::string ends = onnx_.constant("ends", std::array{end(i, height), end(j, width)});
      const std::string slice = onnx_.add("Slice", {x, begins, ends, axes, steps}, "element");
      sum = sum.empty() ? slice : onnx_.add("Add", {sum, slice}, "sum");
    }
  }
  add_zero(onnx_.add("Div", {sum, onnx_.constant("count", {&count, 1}, {})}, "mean"));
}

void Writer::write_flatten(const Node& node, const Shape& output) {
  if (node.start_dim == 1) {
    onnx_.add("Flatten", node.inputs, "flat");
    onnx_.set("axis", 1);
    return;
  }
  std::vector<std::int64_t> shape(node.start_dim, 0);  // 0: as it was
  shape.push_back(output.back());
  onnx_.add("Reshape", {node.inputs[0], onnx_.constant("shape", shape)}, "flat");
}

}  // namespace

void export_onnx(const Graph& graph, const std::filesystem::path& path) {
  runtime::check(graph);
  const std::vector<Shape> shapes = runtime::checked_shapes(graph);
  onnx::ModelProto model;
  model.set_ir_version(onnx::IR_VERSION_2024_3_25);
  model.set_producer_name("samebits");
  model.set_producer_version(SAMEBITS_VERSION);
  onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(21);
  Writer(graph, shapes, *model.mutable_graph()).write();
  const std::size_t bytes = model.ByteSizeLong();
  if (bytes > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    io::fail("[onnx] ", path.string(), ": expected a model below 2 GiB, got ", bytes,
             " bytes; save a package instead");
  }
  io::write_file_atomically(path, model.SerializeAsString());
}

}  // namespace samebits
