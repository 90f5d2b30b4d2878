// Writes what tests/python/test_export_files.py reads, and reads what it writes:
//   export_files_cases FOLDER        NAME.FORMAT of each model, and NAME.expected.safetensors: its
// weights as
//                                    floats, code by code, and all that is no weight of codes
//                                    and of the model of everything the package, and what a ramp from
// 0 to 1 gives
//   export_files_cases --golden FOLDER   the files of tests/data, should their formats change
//   export_files_cases --load FILE   exit code 0: it holds the model NAME; 1: another one, or an error
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "export/formats.h"
#include "graph/package_arrays.h"
#include "graph/package_json.h"
#include "io/safetensors.h"
#include "tests/export/linear_models.h"

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
  void constant(const std::string& name, const graph::ConstantTensor& tensor) override {
    floats(name, tensor.shape, tensor.floats);
  }
  void floats(const std::string& name, const graph::Sizes& shape, const std::vector<float>& values) override {
    file.tensors[name] = tensor(shape, values);
  }

  io::SafetensorsFile file;
};

std::vector<Graph> models() {
  Graph everything = graph::graph_of_everything();
  everything.name = "everything";
  return {everything, linears(), gguf_linears()};
}

/// What the oracle makes of a ramp, printed as examples/runtime_c does.
void write_ramp(const Graph& graph, const std::filesystem::path& path) {
  oracle::Tensors inputs;
  for (const graph::Input& input : graph.inputs) {
    graph::FloatTensor x{graph::sizes_at(input.type.shape, {1, 1}), {}};
    std::int64_t count = 1;
    for (const std::int64_t size : x.shape) count *= size;
    for (std::int64_t i = 0; i < count; ++i)
      x.values.push_back(static_cast<float>(i) / static_cast<float>(count));
    inputs.push_back(std::move(x));
  }
  const auto values = oracle::run(graph, inputs);
  std::ofstream file(path);
  for (const std::string& output : graph.outputs) {
    file << output << ':';
    for (const float value : values.at(output).values) {
      char text[40];
      std::snprintf(text, sizeof(text), " %a", static_cast<double>(value));
      file << text;
    }
    file << '\n';
  }
}

void write_models(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const Graph& graph : models()) {
    const std::string stem = (folder / graph.name).string();
    Floats expected;
    graph::graph_json(graph, expected);
    io::write_safetensors(stem + ".expected.safetensors", expected.file);
    if (graph.name == "everything") write_ramp(graph, stem + ".ramp.txt");
    for (const ExportFormat& format : export_formats()) {
      const bool holds_linears_alone = format.name == "gguf" || format.name == "compressed_tensors";
      if (holds_linears_alone && graph.name == "everything") continue;
      if (format.name == "gguf" && graph.name != "gguf_linears") continue;
      format.save(graph, stem + std::string(format.extension));
    }
  }
}

int load(const std::filesystem::path& file) {
  const Graph graph = load_exported(file);
  for (const Graph& each : models())
    if (each.name == graph.name) return each == graph ? 0 : 1;
  return 1;
}

}  // namespace
}  // namespace samebits

int main(int argc, char** argv) {
  try {
    if (argc == 3 && std::string(argv[1]) == "--golden") {
      for (const samebits::ExportFormat& format : samebits::export_formats())
        if (format.name != "package")
          format.save(samebits::golden_exports(), argv[2] + ("/golden" + std::string(format.extension) +
                                                             (format.load == nullptr ? ".txt" : "")));
      return 0;
    }
    if (argc == 3 && std::string(argv[1]) == "--load") return samebits::load(argv[2]);
    if (argc == 2) {
      samebits::write_models(argv[1]);
      return 0;
    }
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
  std::cerr << "usage: export_files_cases FOLDER | --golden FOLDER | --load FILE\n";
  return 2;
}
