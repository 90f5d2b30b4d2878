// The file as a whole; the form of each operator is in ops/.
#include "export/onnx/export_onnx.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <set>

#include "export/onnx/onnx_node.h"
#include "export/onnx/qdq_layer.h"
#include "export/onnx/tensorrt_rules.h"
#include "graph/passes/code_chains.h"
#include "io/atomic_file.h"
#include "io/error.h"
#include "onnx.pb.h"

namespace samebits {
namespace {

using graph::Graph;
using graph::Node;

void describe(onnx::ValueInfoProto& value, const std::string& name, const graph::TensorType& of) {
  value.set_name(name);
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(static_cast<int>(onnx_type(of.dtype)));
  auto& shape = *type.mutable_shape();  // of a number too
  for (const graph::Dimension& size : of.shape) {
    auto& dimension = *shape.add_dim();
    if (size.is_number())
      dimension.set_dim_value(size.offset);
    else
      dimension.set_dim_param(graph::to_text(size));
  }
}

std::set<std::string> value_names(const Graph& graph) {
  std::set<std::string> names;
  for (const graph::Input& input : graph.inputs) names.insert(input.name);
  for (const Node& node : graph.nodes) names.insert(node.outputs.begin(), node.outputs.end());
  return names;
}

/// Where the metadata say what style a file has.
constexpr const char* kStyleKey = "samebits.style";
constexpr const char* kStyleNames[] = {"integer", "qdq", "tensorrt"};

/// The places where QDQ files quantize a value besides in front of its layer. A layer that writes codes for
/// another, through a pool or a relu, is fused where its output and the pool's both are quantized; that the
/// value is on the grid of the layer behind changes nothing, since these operators keep the order of reals.
class Requantized {
 public:
  Requantized(const Graph& graph, OnnxStyle style) {
    if (style == OnnxStyle::kInteger) return;
    const graph::Wiring wiring = graph::wiring_of(graph);
    const auto layers = graph::code_readers(graph, wiring, graph::fused_relus(graph, wiring));
    for (std::size_t value = 0; value < layers.size(); ++value) {
      if (!layers[value].has_value() || *layers[value] == *wiring.only_reader(value)) continue;
      const graph::Node& writer = graph.nodes[*wiring.writer[value]];
      grids_[writer.outputs[0]] = &graph::input_grid(graph.nodes[*layers[value]]);
    }
  }

  /// After the node that writes `value` is there.
  void see(const std::string& value, OnnxBuilder& builder) {
    if (const auto grid = grids_.find(value); grid != grids_.end())
      renamed_[value] = fake_quantized(builder, value, *grid->second);
  }

  /// The node as it reads quantized values.
  Node reading(const Node& node) const {
    Node result = node;
    for (std::string& input : result.inputs)
      if (const auto renamed = renamed_.find(input); renamed != renamed_.end()) input = renamed->second;
    return result;
  }
  bool is_read_by(const Node& node) const {
    return std::ranges::any_of(node.inputs, [&](const std::string& each) { return renamed_.contains(each); });
  }

 private:
  std::map<std::string, const kernels::AffineGrid*> grids_;  // by value
  std::map<std::string, std::string> renamed_;
};

/// `types` are those of all values.
void write(const Graph& graph, const std::vector<graph::TensorType>& types, OnnxStyle style,
           onnx::GraphProto& proto) {
  proto.set_name(graph.name);
  std::map<std::string, const graph::TensorType*> by_name;
  std::size_t value = 0;
  for (const graph::Input& input : graph.inputs) {
    by_name[input.name] = &types[value++];
    describe(*proto.add_input(), input.name, input.type);
  }
  OnnxBuilder builder(proto, value_names(graph));
  for (const graph::Input& input : graph.inputs)
    for (std::size_t axis = 0; axis < input.type.shape.size(); ++axis)
      if (const std::size_t symbol = input.type.shape[axis].plain_symbol(); symbol < graph::kSymbols)
        builder.set_symbol(static_cast<graph::Symbol>(symbol), input.name, axis);
  Requantized requantized(graph, style);
  for (const Node& node : graph.nodes) {
    builder.start_layer(node.name);
    std::vector<graph::TensorType> inputs;
    for (const std::string& input : node.inputs) inputs.push_back(*by_name.at(input));
    const auto put = [&](const Node& as_read) {
      onnx_form_of (*node.op)({as_read, types[value], builder, inputs, style});
    };
    requantized.is_read_by(node) ? put(requantized.reading(node)) : put(node);
    builder.write_to(node.outputs[0]);
    requantized.see(node.outputs[0], builder);
    for (const std::string& output : node.outputs) by_name[output] = &types[value++];
  }
  for (const std::string& output : graph.outputs) describe(*proto.add_output(), output, *by_name.at(output));
}

void check_tensorrt(const Graph& graph, const std::filesystem::path& path) {
  const std::vector<TensorrtFinding> findings = tensorrt_findings(graph);
  if (findings.empty()) return;
  std::string text;
  for (const TensorrtFinding& each : findings) text += "\n  " + to_text(each);
  io::fail("[onnx] ", path.string(),
           ": expected what TensorRT takes, got layers that break its rules:", text);
}

}  // namespace

void export_onnx(const Graph& graph, const std::filesystem::path& path, OnnxStyle style) {
  graph::check(graph);
  if (style == OnnxStyle::kTensorrt) check_tensorrt(graph, path);
  const std::vector<graph::TensorType> types = graph::checked_types(graph);
  onnx::ModelProto model;
  model.set_ir_version(onnx::IR_VERSION_2024_3_25);
  model.set_producer_name("samebits");
  model.set_producer_version(SAMEBITS_VERSION);
  onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(21);
  if (style != OnnxStyle::kInteger) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(kStyleKey);
    entry.set_value(kStyleNames[static_cast<std::size_t>(style)]);
  }
  write(graph, types, style, *model.mutable_graph());
  const std::size_t bytes = model.ByteSizeLong();
  if (bytes > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    io::fail("[onnx] ", path.string(), ": expected a model below 2 GiB, got ", bytes,
             " bytes; save a package instead");
  io::write_file_atomically(path, model.SerializeAsString());
}

OnnxStyle onnx_style(const std::filesystem::path& path) {
  onnx::ModelProto model;
  std::ifstream file(path, std::ios::binary);
  if (!file || !model.ParseFromIstream(&file))
    io::fail("[onnx] ", path.string(), ": expected an ONNX file, got ", file.is_open() ? "another" : "none");
  for (const onnx::StringStringEntryProto& entry : model.metadata_props())
    for (std::size_t style = 0; entry.key() == kStyleKey && style < std::size(kStyleNames); ++style)
      if (entry.value() == kStyleNames[style]) return static_cast<OnnxStyle>(style);
  return OnnxStyle::kInteger;
}

}  // namespace samebits
