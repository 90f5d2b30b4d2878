// The file as a whole; the form of each operator is in ops/.
#include "export/onnx/export_onnx.h"

#include <limits>
#include <map>
#include <set>

#include "export/onnx/onnx_node.h"
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

/// `types` are those of all values.
void write(const Graph& graph, const std::vector<graph::TensorType>& types, onnx::GraphProto& proto) {
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
  for (const Node& node : graph.nodes) {
    builder.start_layer(node.name);
    std::vector<graph::TensorType> inputs;
    for (const std::string& input : node.inputs) inputs.push_back(*by_name.at(input));
    onnx_form_of (*node.op)({node, types[value], builder, inputs});
    builder.write_to(node.outputs[0]);
    for (const std::string& output : node.outputs) by_name[output] = &types[value++];
  }
  for (const std::string& output : graph.outputs) describe(*proto.add_output(), output, *by_name.at(output));
}

}  // namespace

void export_onnx(const Graph& graph, const std::filesystem::path& path) {
  graph::check(graph);
  const std::vector<graph::TensorType> types = graph::checked_types(graph);
  onnx::ModelProto model;
  model.set_ir_version(onnx::IR_VERSION_2024_3_25);
  model.set_producer_name("samebits");
  model.set_producer_version(SAMEBITS_VERSION);
  onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(21);
  write(graph, types, *model.mutable_graph());
  const std::size_t bytes = model.ByteSizeLong();
  if (bytes > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    io::fail("[onnx] ", path.string(), ": expected a model below 2 GiB, got ", bytes,
             " bytes; save a package instead");
  io::write_file_atomically(path, model.SerializeAsString());
}

}  // namespace samebits
