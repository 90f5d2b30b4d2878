// Writes what tests/python/test_export_files.py reads, and reads what it writes:
//   export_files_cases FOLDER        NAME.FORMAT of each model, and NAME.expected.safetensors: its weights as
//                                    floats, code by code, and all that is no weight of codes
//   export_files_cases --load FILE   exit code 0: it holds the model NAME; 1: another one, or an error
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>

#include "export/npz/export_npz.h"
#include "export/safetensors/export_safetensors.h"
#include "graph/package_arrays.h"
#include "graph/package_json.h"
#include "io/safetensors.h"
#include "tests/graph/op_cases.h"

namespace samebits {
namespace {

using graph::Graph;

io::TensorData tensor(const graph::Sizes& shape, const std::vector<float>& values) {
  io::TensorData data{"F32", shape, {}};
  data.bytes.resize(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}

/// Every array as floats.
class Floats : public graph::ArraySink {
 public:
  void codes(const std::string& name, const quant::QuantizedTensor& weight) override {
    const std::int64_t columns = weight.row_length();
    const std::int64_t group = weight.encoding.group_size > 0 ? weight.encoding.group_size : columns;
    const std::int64_t groups = (columns + group - 1) / group;
    std::vector<float> values;
    for (std::size_t i = 0; i < weight.codes.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const auto grid = static_cast<std::size_t>(
          weight.scale.size() == 1 ? 0 : at / columns * groups + at % columns / group);
      const int zero_point = weight.zero_point.empty() ? 0 : weight.zero_point[grid];
      values.push_back(static_cast<float>(weight.codes[i] - zero_point) * weight.scale[grid]);
    }
    floats(name, weight.shape, values);
  }
  void floats(const std::string& name, const graph::Sizes& shape, const std::vector<float>& values) override {
    file.tensors[name] = tensor(shape, values);
  }

  io::SafetensorsFile file;
};

std::vector<Graph> models() {
  Graph everything = graph::graph_of_everything();
  everything.name = "everything";
  return {everything};
}

void write_models(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const Graph& graph : models()) {
    const std::string stem = (folder / graph.name).string();
    Floats expected;
    graph::graph_json(graph, expected);
    io::write_safetensors(stem + ".expected.safetensors", expected.file);
    export_npz(graph, stem + ".npz");
    export_safetensors(graph, stem + ".safetensors");
  }
}

int load(const std::filesystem::path& file) {
  const Graph graph = file.extension() == ".npz" ? load_npz(file) : load_safetensors(file);
  for (const Graph& each : models())
    if (each.name == graph.name) return each == graph ? 0 : 1;
  return 1;
}

}  // namespace
}  // namespace samebits

int main(int argc, char** argv) {
  try {
    if (argc == 3 && std::string(argv[1]) == "--load") return samebits::load(argv[2]);
    if (argc == 2) {
      samebits::write_models(argv[1]);
      return 0;
    }
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
  std::cerr << "usage: export_files_cases FOLDER | --load FILE\n";
  return 2;
}
