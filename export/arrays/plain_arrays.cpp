#include "export/arrays/plain_arrays.h"

#include "export/arrays/graph_text.h"
#include "export/arrays/tensors.h"

namespace samebits {
namespace {

using graph::ArraysError;
using quant::QuantizedTensor;

class Sink : public graph::ArraySink {
 public:
  explicit Sink(io::SafetensorsFile& file) : file_(file) {}

  void codes(const std::string& name, const QuantizedTensor& tensor) override {
    file_.tensors[name] = tensor_of("I8", tensor.shape, tensor.codes);
    file_.tensors[name + "_scale"] = tensor_of("F32", graph::scale_shape(tensor), tensor.scale);
    if (tensor.zero_point.empty()) return;
    const std::vector<std::int8_t> narrow(tensor.zero_point.begin(), tensor.zero_point.end());
    file_.tensors[name + "_zero_point"] = tensor_of("I8", graph::scale_shape(tensor), narrow);
  }
  void floats(const std::string& name, const graph::Sizes& shape, const std::vector<float>& values) override {
    file_.tensors[name] = tensor_of("F32", shape, values);
  }

 private:
  io::SafetensorsFile& file_;
};

class Source : public graph::ArraySource {
 public:
  explicit Source(io::SafetensorsFile& file) : file_(file) {}

  void codes(const std::string& name, QuantizedTensor& tensor) override {
    graph::element_count(name, tensor.shape);
    tensor.codes = take<std::int8_t>(file_, name, "I8", tensor.shape);
    const graph::Sizes scales = graph::scale_shape(tensor);
    tensor.scale = take<float>(file_, name + "_scale", "F32", scales);
    if (tensor.encoding.symmetric) return;
    const auto narrow = take<std::int8_t>(file_, name + "_zero_point", "I8", scales);
    tensor.zero_point.assign(narrow.begin(), narrow.end());
  }
  std::vector<float> floats(const std::string& name, const graph::Sizes& shape) override {
    return take<float>(file_, name, "F32", shape);
  }
  void end() override {
    if (!file_.tensors.empty())
      throw ArraysError(file_.tensors.begin()->first + ": expected no array that the graph does not name");
  }

 private:
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
