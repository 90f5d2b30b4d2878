#include "export/arrays/plain_arrays.h"

#include <cstring>

#include "export/arrays/graph_text.h"
#include "io/error.h"

namespace samebits {
namespace {

using graph::ArraysError;
using quant::QuantizedTensor;

template <class T>
std::vector<std::uint8_t> bytes_of(const std::vector<T>& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class T>
std::vector<T> values_of(const std::vector<std::uint8_t>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

class Sink : public graph::ArraySink {
 public:
  explicit Sink(io::SafetensorsFile& file) : file_(file) {}

  void codes(const std::string& name, const QuantizedTensor& tensor) override {
    file_.tensors[name] = {"I8", tensor.shape, bytes_of(tensor.codes)};
    file_.tensors[name + "_scale"] = {"F32", graph::scale_shape(tensor), bytes_of(tensor.scale)};
    if (tensor.zero_point.empty()) return;
    const std::vector<std::int8_t> narrow(tensor.zero_point.begin(), tensor.zero_point.end());
    file_.tensors[name + "_zero_point"] = {"I8", graph::scale_shape(tensor), bytes_of(narrow)};
  }
  void floats(const std::string& name, const graph::Sizes& shape, const std::vector<float>& values) override {
    file_.tensors[name] = {"F32", shape, bytes_of(values)};
  }
  void constant(const std::string& name, const graph::ConstantTensor& tensor) override {
    graph::write_constant(name, tensor, file_);
  }

 private:
  io::SafetensorsFile& file_;
};

class Source : public graph::ArraySource {
 public:
  explicit Source(io::SafetensorsFile& file) : file_(file) {}

  void codes(const std::string& name, QuantizedTensor& tensor) override {
    graph::element_count(name, tensor.shape);
    tensor.codes = values_of<std::int8_t>(take(name, "I8", tensor.shape));
    const graph::Sizes scales = graph::scale_shape(tensor);
    tensor.scale = values_of<float>(take(name + "_scale", "F32", scales));
    if (tensor.encoding.symmetric) return;
    const auto narrow = values_of<std::int8_t>(take(name + "_zero_point", "I8", scales));
    tensor.zero_point.assign(narrow.begin(), narrow.end());
  }
  std::vector<float> floats(const std::string& name, const graph::Sizes& shape) override {
    return values_of<float>(take(name, "F32", shape));
  }
  void constant(const std::string& name, graph::ConstantTensor& tensor) override {
    graph::read_constant(name, tensor, file_);
  }
  void end() override {
    if (!file_.tensors.empty())
      throw ArraysError(file_.tensors.begin()->first + ": expected no array that the graph does not name");
  }

 private:
  std::vector<std::uint8_t> take(const std::string& name, const char* dtype, const graph::Sizes& shape) {
    const auto found = file_.tensors.find(name);
    const std::string expected = std::string(dtype) + " " + (shape.empty() ? "[n]" : io::to_text(shape));
    if (found == file_.tensors.end())
      throw ArraysError(io::join(name, ": expected ", expected, ", got none"));
    const io::TensorData tensor = std::move(found->second);
    file_.tensors.erase(found);
    const bool fits = shape.empty() ? tensor.shape.size() == 1 : tensor.shape == shape;
    if (tensor.dtype != dtype || !fits)
      throw ArraysError(
          io::join(name, ": expected ", expected, ", got ", tensor.dtype, ' ', io::to_text(tensor.shape)));
    return tensor.bytes;
  }

  io::SafetensorsFile& file_;
};

}  // namespace

PlainArrays plain_arrays(const graph::Graph& graph, const std::string& where) {
  PlainArrays plain;
  Sink sink(plain.arrays);
  plain.graph = graph_text(graph, sink, where);
  return plain;
}

graph::Graph graph_of(PlainArrays plain, const std::string& where) {
  Source source(plain.arrays);
  return graph_of_text(plain.graph, source, where);
}

}  // namespace samebits
