// Nodes and constants of one ONNX graph under construction: names that cannot collide, tensors in
// little-endian raw form. Knows nothing of quantization; the forms in ops/ do.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "graph/types.h"
#include "onnx.pb.h"

namespace samebits {

class OnnxBuilder {
 public:
  /// `graph` must outlive the builder. `taken`: names that only output() may write.
  OnnxBuilder(onnx::GraphProto& graph, std::set<std::string> taken);

  /// Names from now on start with "LAYER/".
  void start_layer(const std::string& layer) { layer_ = layer; }

  /// Adds a node whose one output is a new value "LAYER/what", and returns that name.
  std::string add(const char* op, std::vector<std::string> inputs, const std::string& what);
  /// The node added last, for its attributes, more outputs, or another name of its output.
  onnx::NodeProto& last() { return *graph_.mutable_node(graph_.node_size() - 1); }
  /// Makes the last node write the value `name`, which `taken` holds.
  void write_to(const std::string& name) { last().set_output(0, name); }
  /// A new value name "LAYER/what".
  std::string fresh(const std::string& what);

  void set(const char* attribute, std::int64_t value);
  void set_text(const char* attribute, const char* value);
  void set(const char* attribute, std::span<const std::int64_t> values);
  void set_float(const char* attribute, float value);
  /// An empty graph as an attribute.
  onnx::GraphProto& set_graph(const char* attribute);

  /// Constants "LAYER/what"; an empty shape is a scalar.
  std::string constant(const std::string& what, std::span<const float> values, const graph::Sizes& shape);
  std::string constant(const std::string& what, std::span<const std::int64_t> values);
  std::string constant(const std::string& what, std::int64_t value) { return constant(what, {&value, 1}); }
  /// Of any dtype.
  std::string constant(const std::string& what, const graph::ConstantTensor& value);
  /// Where a symbol can be read at run time: the size of `axis` of the value `input`.
  void set_symbol(graph::Symbol symbol, const std::string& input, std::size_t axis) {
    symbols_[static_cast<std::size_t>(symbol)] = {input, static_cast<std::int64_t>(axis)};
  }
  /// Sizes as an int64 array: a constant where they are numbers, else computed from symbols that are set.
  std::string sizes(const std::string& what, const graph::Shape& shape);
  /// The bytes value + offset, as UINT8 or INT8.
  std::string codes(const std::string& what, std::span<const std::int32_t> values, std::int32_t offset,
                    bool is_unsigned, const graph::Sizes& shape);
  /// The values as INT4, two a byte, the first in the low bits; as INT32.
  std::string int4_codes(const std::string& what, std::span<const std::int32_t> values,
                         const graph::Sizes& shape);
  std::string int32_values(const std::string& what, std::span<const std::int32_t> values,
                           const graph::Sizes& shape);

 private:
  /// factor · symbol + offset, an array of one.
  std::string size(const graph::Dimension& dimension);
  onnx::TensorProto& tensor(const std::string& what, int data_type, const graph::Sizes& shape);
  onnx::AttributeProto& attribute(const char* name);

  onnx::GraphProto& graph_;
  std::set<std::string> taken_;
  std::string layer_;
  struct SymbolPlace {
    std::string input;
    std::int64_t axis = 0;
  };
  std::array<SymbolPlace, graph::kSymbols> symbols_;
};

}  // namespace samebits
