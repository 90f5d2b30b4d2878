#include "export/compressed_tensors/export_compressed_tensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "export/arrays/graph_text.h"
#include "export/arrays/tensors.h"
#include "export/compressed_tensors/packed_words.h"
#include "graph/operator.h"
#include "graph/ops/layers/linear.h"
#include "io/atomic_file.h"
#include "io/error.h"
#include "io/safetensors.h"

namespace samebits {
namespace {

using graph::ArraysError;
using graph::GraphError;
using graph::Linear;
using graph::Node;
using graph::Sizes;
using quant::Encoding;
using quant::Granularity;
using quant::QuantizedTensor;
using Json = nlohmann::ordered_json;

constexpr const char* kTensors = "model.safetensors";
constexpr const char* kConfig = "config.json";

std::string where(const std::filesystem::path& path) {
  return "[compressed_tensors] " + path.string();
}

// How a weight is stored.

/// Bits of a stored code: those that every reader packs alike. Codes of fewer bits fit, their reals are the
/// same.
int stored_bits(const Encoding& encoding) {
  return encoding.bits <= 4 ? 4 : 8;
}
bool is_packed(const Encoding& encoding) {
  return stored_bits(encoding) < 8 || encoding.granularity == Granularity::kPerGroup;
}
const char* format_of(const Encoding& encoding) {
  return is_packed(encoding) ? "pack-quantized" : "int-quantized";
}
/// Zero points of a whole tensor are stored as they are in either format.
bool packs_zero_points(const Encoding& encoding) {
  return is_packed(encoding) && encoding.granularity != Granularity::kPerTensor;
}
Sizes stored_scale_shape(const QuantizedTensor& weight) {
  if (weight.encoding.granularity == Granularity::kPerTensor) return {1};
  return {weight.rows(), quant::groups_per_row(weight.encoding, weight.row_length())};
}

// What config.json says.

/// The whole bits whose codes are those of the grid.
int bits_of(const Node& node, const kernels::AffineGrid& grid) {
  for (int bits = 2; bits <= 8; ++bits)
    if (grid.qmin == -(1 << (bits - 1)) && grid.qmax == (1 << (bits - 1)) - 1) return bits;
  graph::fail_node(node, "expected input codes of whole bits, such as -128..127, got ", grid.qmin, "..",
                   grid.qmax);
}

Json scheme_of(const Node& node) {
  const auto& linear = node.as<Linear>();
  const Encoding& encoding = linear.weight.encoding;
  const char* const kStrategies[] = {"tensor", "channel", "group"};
  Json weights = {{"num_bits", stored_bits(encoding)},
                  {"type", "int"},
                  {"symmetric", encoding.symmetric},
                  {"strategy", kStrategies[static_cast<int>(encoding.granularity)]},
                  {"dynamic", false}};
  if (encoding.granularity == Granularity::kPerGroup) weights["group_size"] = encoding.group_size;
  const Json inputs = {{"num_bits", bits_of(node, linear.input_grid)},
                       {"type", "int"},
                       {"symmetric", linear.input_grid.zero_point == 0},
                       {"strategy", "tensor"},
                       {"dynamic", false}};
  return {{"targets", Json::array()},
          {"weights", weights},
          {"input_activations", inputs},
          {"format", format_of(encoding)}};
}

void check_node(const Node& node) {
  if (!graph::is_layer(node)) return;
  if (!graph::is_a<Linear>(node))
    graph::fail_node(node, "expected quantized layers to be linear, got ", node.op->name,
                     "; export safetensors, or leave it float by skip: true");
  const QuantizedTensor& weight = node.as<Linear>().weight;
  if (weight.encoding.granularity == Granularity::kPerGroup &&
      weight.row_length() % weight.encoding.group_size != 0)
    graph::fail_node(node, "expected in_features that group_size ", weight.encoding.group_size,
                     " divides, got ", weight.row_length());
}

std::string config_text(const graph::Graph& graph) {
  std::vector<Json> schemes;
  Json ignored = Json::array();
  std::set<std::string> formats;
  for (const Node& node : graph.nodes) {
    check_node(node);
    if (std::string(node.op->name) == "float_linear") ignored.push_back(node.name);
    if (!graph::is_layer(node)) continue;
    Json scheme = scheme_of(node);
    formats.insert(scheme["format"]);
    auto same = std::find_if(schemes.begin(), schemes.end(), [&](Json each) {
      each["targets"] = Json::array();
      return each == scheme;
    });
    if (same == schemes.end()) same = schemes.insert(same, std::move(scheme));
    (*same)["targets"].push_back(node.name);
  }
  if (schemes.empty()) throw GraphError("expected a quantized linear layer, got none");
  Json groups;
  for (std::size_t i = 0; i < schemes.size(); ++i) groups[io::join("group_", i)] = schemes[i];
  const Json config = {{"quant_method", "compressed-tensors"},
                       {"format", formats.size() == 1 ? *formats.begin() : "mixed-precision"},
                       {"quantization_status", "compressed"},
                       {"config_groups", groups},
                       {"ignore", ignored}};
  return Json{{"quantization_config", config}}.dump(2) + "\n";
}

// The tensors.

class Sink : public graph::ArraySink {
 public:
  explicit Sink(io::SafetensorsFile& file) : file_(file) {}

  void codes(const std::string& name, const QuantizedTensor& weight) override {
    const std::int64_t rows = weight.rows(), columns = weight.row_length();
    const int bits = stored_bits(weight.encoding);
    if (is_packed(weight.encoding)) {
      file_.tensors[name + "_packed"] =
          tensor_of("I32", {rows, word_count(columns, bits)}, pack_words(weight.codes, columns, bits));
      file_.tensors[name + "_shape"] = tensor_of("I64", {2}, weight.shape);
    } else {
      file_.tensors[name] = tensor_of("I8", weight.shape, weight.codes);
    }
    const Sizes scales = stored_scale_shape(weight);
    file_.tensors[name + "_scale"] = tensor_of("F32", scales, weight.scale);
    if (weight.zero_point.empty()) return;
    const std::vector<std::int8_t> narrow(weight.zero_point.begin(), weight.zero_point.end());
    io::TensorData& zero_point = file_.tensors[name + "_zero_point"];
    if (!packs_zero_points(weight.encoding)) {
      zero_point = tensor_of("I8", scales, narrow);
      return;
    }
    // Along rows, where the codes are along columns.
    const std::int64_t words = word_count(rows, bits);
    zero_point = tensor_of("I32", {words, scales[1]},
                           transposed(pack_words(transposed(narrow, scales[1]), rows, bits), words));
  }
  void floats(const std::string& name, const Sizes& shape, const std::vector<float>& values) override {
    refuse_factors(name);
    file_.tensors[name] = tensor_of("F32", shape, values);
  }

 private:
  io::SafetensorsFile& file_;
};

class Source : public graph::ArraySource {
 public:
  explicit Source(io::SafetensorsFile& file) : file_(file) {}

  void codes(const std::string& name, QuantizedTensor& weight) override {
    graph::element_count(name, weight.shape);
    const std::int64_t rows = weight.rows(), columns = weight.row_length();
    const int bits = stored_bits(weight.encoding);
    if (is_packed(weight.encoding)) {
      if (take<std::int64_t>(file_, name + "_shape", "I64", {2}) != weight.shape)
        throw ArraysError(name + "_shape: expected the shape " + io::to_text(weight.shape) + ", got another");
      weight.codes =
          unpack_words(take<std::int32_t>(file_, name + "_packed", "I32", {rows, word_count(columns, bits)}),
                       rows, columns, bits);
    } else {
      weight.codes = take<std::int8_t>(file_, name, "I8", weight.shape);
    }
    const Sizes scales = stored_scale_shape(weight);
    weight.scale = take<float>(file_, name + "_scale", "F32", scales);
    if (weight.encoding.symmetric) return;
    std::vector<std::int8_t> narrow;
    if (packs_zero_points(weight.encoding)) {
      const std::int64_t words = word_count(rows, bits);
      const auto packed = take<std::int32_t>(file_, name + "_zero_point", "I32", {words, scales[1]});
      narrow = transposed(unpack_words(transposed(packed, scales[1]), scales[1], rows, bits), rows);
    } else {
      narrow = take<std::int8_t>(file_, name + "_zero_point", "I8", scales);
    }
    weight.zero_point.assign(narrow.begin(), narrow.end());
  }
  std::vector<float> floats(const std::string& name, const Sizes& shape) override {
    return take<float>(file_, name, "F32", shape);
  }
  /// The grids of inputs, which the graph has too, are left.
  void end() override {
    for (const auto& [name, tensor] : file_.tensors)
      if (!name.ends_with(".input_scale") && !name.ends_with(".input_zero_point"))
        throw ArraysError(name + ": expected no tensor that the graph does not name");
  }

 private:
  io::SafetensorsFile& file_;
};

void write_input_grid(const Node& node, io::SafetensorsFile& file) {
  const kernels::AffineGrid& grid = node.as<Linear>().input_grid;
  file.tensors[node.name + ".input_scale"] = tensor_of("F32", {1}, std::vector<float>{grid.scale});
  if (grid.zero_point == 0) return;
  file.tensors[node.name + ".input_zero_point"] =
      tensor_of("I8", {1}, std::vector<std::int8_t>{static_cast<std::int8_t>(grid.zero_point)});
}

}  // namespace

void export_compressed_tensors(const graph::Graph& graph, const std::filesystem::path& folder) {
  graph::check(graph);
  io::SafetensorsFile file;
  std::string config;
  Sink sink(file);
  try {
    config = config_text(graph);
    file.metadata = {{"format", "pt"}, {kGraphKey, graph_text(graph, sink, where(folder))}};
  } catch (const GraphError& error) {
    io::fail(where(folder), ": ", error.what());
  } catch (const nlohmann::json::exception& error) {
    io::fail(where(folder), ": expected names in UTF-8, got ", io::shortened(error.what()));
  }
  for (const Node& node : graph.nodes)
    if (graph::is_layer(node)) write_input_grid(node, file);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw io::WriteError("[write] " + folder.string() + ": " + error.message());
  io::write_safetensors(folder / kTensors, file);
  io::write_file_atomically(folder / kConfig, config);
}

graph::Graph load_compressed_tensors(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kTensors;
  io::SafetensorsFile file = io::read_safetensors(path);
  const auto graph = file.metadata.find(kGraphKey);
  if (graph == file.metadata.end())
    io::fail(where(path), ": expected metadata ", kGraphKey,
             ", got none; only files of samebits export can be read");
  Source source(file);
  return graph_of_text(graph->second, source, where(path));
}

}  // namespace samebits
