#include "export/onnx/onnx_builder.h"

#include <bit>
#include <utility>

namespace samebits {

static_assert(std::endian::native == std::endian::little, "raw_data of ONNX tensors is little-endian");

OnnxBuilder::OnnxBuilder(onnx::GraphProto& graph, std::set<std::string> taken)
    : graph_(graph), taken_(std::move(taken)) {}

std::string OnnxBuilder::fresh(const std::string& what) {
  std::string name = layer_ + "/" + what;
  while (!taken_.insert(name).second) name += "_";
  return name;
}

std::string OnnxBuilder::add(const char* op, std::vector<std::string> inputs, const std::string& what) {
  std::string output = fresh(what);
  onnx::NodeProto& node = *graph_.add_node();
  node.set_op_type(op);
  node.set_name(output);
  for (std::string& input : inputs) node.add_input(std::move(input));
  node.add_output(output);
  return output;
}

onnx::AttributeProto& OnnxBuilder::attribute(const char* name) {
  onnx::AttributeProto& attribute = *last().add_attribute();
  attribute.set_name(name);
  return attribute;
}

void OnnxBuilder::set(const char* name, std::int64_t value) {
  onnx::AttributeProto& proto = attribute(name);
  proto.set_type(onnx::AttributeProto::INT);
  proto.set_i(value);
}

void OnnxBuilder::set_text(const char* name, const char* value) {
  onnx::AttributeProto& proto = attribute(name);
  proto.set_type(onnx::AttributeProto::STRING);
  proto.set_s(value);
}

void OnnxBuilder::set_float(const char* name, float value) {
  onnx::AttributeProto& proto = attribute(name);
  proto.set_type(onnx::AttributeProto::FLOAT);
  proto.set_f(value);
}

onnx::GraphProto& OnnxBuilder::set_graph(const char* name) {
  onnx::AttributeProto& proto = attribute(name);
  proto.set_type(onnx::AttributeProto::GRAPH);
  return *proto.mutable_g();
}

void OnnxBuilder::set(const char* name, std::span<const std::int64_t> values) {
  onnx::AttributeProto& proto = attribute(name);
  proto.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) proto.add_ints(value);
}

onnx::TensorProto& OnnxBuilder::tensor(const std::string& what, int data_type, const graph::Sizes& shape) {
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(fresh(what));
  tensor.set_data_type(data_type);
  for (const std::int64_t size : shape) tensor.add_dims(size);
  return tensor;
}

std::string OnnxBuilder::constant(const std::string& what, std::span<const float> values,
                                  const graph::Sizes& shape) {
  onnx::TensorProto& proto = tensor(what, onnx::TensorProto::FLOAT, shape);
  proto.set_raw_data(values.data(), values.size_bytes());
  return proto.name();
}

std::string OnnxBuilder::constant(const std::string& what, std::span<const std::int64_t> values) {
  onnx::TensorProto& proto =
      tensor(what, onnx::TensorProto::INT64, {static_cast<std::int64_t>(values.size())});
  proto.set_raw_data(values.data(), values.size_bytes());
  return proto.name();
}

std::string OnnxBuilder::constant(const std::string& what, const graph::ConstantTensor& value) {
  const auto type = value.dtype == graph::Dtype::kFloat32 ? onnx::TensorProto::FLOAT
                    : value.dtype == graph::Dtype::kInt64 ? onnx::TensorProto::INT64
                                                          : onnx::TensorProto::BOOL;
  onnx::TensorProto& proto = tensor(what, type, value.shape);
  const std::size_t bytes = value.count() * static_cast<std::size_t>(graph::element_bytes(value.dtype));
  proto.set_raw_data(value.data(), bytes);
  return proto.name();
}

std::string OnnxBuilder::size(const graph::Dimension& dimension) {
  std::string sum = dimension.offset == 0 ? "" : constant("offset", dimension.offset);
  for (std::size_t i = 0; i < graph::kSymbols; ++i) {
    if (dimension.factors[i] == 0) continue;
    std::string term = add("Shape", {symbols_[i].input}, "symbol");
    set("start", symbols_[i].axis);
    set("end", symbols_[i].axis + 1);
    if (dimension.factors[i] != 1)
      term = add("Mul", {term, constant("factor", dimension.factors[i])}, "term");
    sum = sum.empty() ? term : add("Add", {sum, term}, "size");
  }
  return sum;
}

std::string OnnxBuilder::sizes(const std::string& what, const graph::Shape& shape) {
  std::vector<std::int64_t> numbers;
  for (const graph::Dimension& dimension : shape)
    if (dimension.is_number()) numbers.push_back(dimension.offset);
  if (numbers.size() == shape.size()) return constant(what, numbers);
  std::vector<std::string> parts;
  for (const graph::Dimension& dimension : shape)
    parts.push_back(dimension.is_number() ? constant("number", dimension.offset) : size(dimension));
  if (parts.size() == 1) return parts[0];
  const std::string all = add("Concat", parts, what);
  set("axis", 0);
  return all;
}

std::string OnnxBuilder::codes(const std::string& what, std::span<const std::int32_t> values,
                               std::int32_t offset, bool is_unsigned, const graph::Sizes& shape) {
  const auto type = is_unsigned ? onnx::TensorProto::UINT8 : onnx::TensorProto::INT8;
  onnx::TensorProto& proto = tensor(what, type, shape);
  std::string& bytes = *proto.mutable_raw_data();
  bytes.reserve(values.size());
  for (const std::int32_t value : values) bytes.push_back(static_cast<char>(value + offset));
  return proto.name();
}

std::string OnnxBuilder::int4_codes(const std::string& what, std::span<const std::int32_t> values,
                                    const graph::Sizes& shape) {
  onnx::TensorProto& proto = tensor(what, onnx::TensorProto::INT4, shape);
  std::string& bytes = *proto.mutable_raw_data();
  bytes.assign((values.size() + 1) / 2, '\0');
  for (std::size_t i = 0; i < values.size(); ++i)
    bytes[i / 2] = static_cast<char>(bytes[i / 2] | (values[i] & 15) << (i % 2 * 4));
  return proto.name();
}

std::string OnnxBuilder::int32_values(const std::string& what, std::span<const std::int32_t> values,
                                      const graph::Sizes& shape) {
  onnx::TensorProto& proto = tensor(what, onnx::TensorProto::INT32, shape);
  proto.set_raw_data(values.data(), values.size_bytes());
  return proto.name();
}

}  // namespace samebits
