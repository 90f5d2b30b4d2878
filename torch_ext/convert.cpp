#include "torch_ext/convert.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "export/onnx/export_onnx.h"
#include "graph/package.h"
#include "torch_ext/graph/trace.h"
#include "torch_ext/modules/qat_conv2d.h"
#include "torch_ext/modules/qat_linear.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {
namespace {

namespace jit = torch::jit;
using runtime::Node;
using runtime::Op;

template <class T>
std::vector<T> values_of(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().cpu().contiguous();
  return {flat.const_data_ptr<T>(), flat.const_data_ptr<T>() + flat.numel()};
}

std::vector<std::int64_t> sizes_of(const jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto sizes = type == nullptr ? std::nullopt : type->sizes().concrete_sizes();
  TORCH_CHECK(sizes.has_value(), "[export] ", value->debugName(), ": expected a tensor of known shape, got ",
              value->type()->str());
  return *sizes;
}

runtime::Weight exported_weight(const QATLayer& layer) {
  const quant::QuantizedTensor quantized = layer.quantized_weight();
  return {.shape = quantized.shape,
          .bits = quantized.encoding.bits,
          .qmin = quantized.encoding.qmin,
          .qmax = quantized.encoding.qmax,
          .group_size = quantized.encoding.group_size,
          .codes = quantized.codes,
          .scale = quantized.scale,
          .zero_point = quantized.zero_point};
}

/// Walks a trace in order and writes runtime nodes. Values are named v0 (the input), v1, …
class GraphBuilder {
 public:
  GraphBuilder(const TracedModel& traced, const ModelRef& model) : traced_(traced) {
    for (const auto& module : model.module.named_modules("", /*include_self=*/false))
      if (auto layer = as_qat_layer(module.value())) layers_[module.key()] = layer;
    names_[traced.input] = "x";
    mark_needed();
  }

  runtime::Graph build(const std::string& name, const torch::Tensor& example) {
    for (const jit::Node* node : traced_.graph->nodes())
      if (needed_.count(node) != 0 && node->kind() != jit::prim::ListConstruct) add(node);
    TORCH_CHECK(names_.count(traced_.output) != 0 && !nodes_.empty(),
                "[export] model: expected a result computed from the input, got a constant");
    std::vector<std::int64_t> shape = example.sizes().vec();
    shape[0] = -1;
    return {name, "x", shape, names_.at(traced_.output), std::move(nodes_)};
  }

 private:
  /// The nodes between the input and the result: neither the arithmetic of grids, recorded too, nor what is
  /// made of parameters and constants alone.
  void mark_needed() {
    std::vector<const jit::Value*> open = {traced_.output};
    while (!open.empty()) {
      const jit::Value* value = open.back();
      open.pop_back();
      const jit::Node* node = value->node();
      if (node->kind() == jit::prim::Param || !needed_.insert(node).second) continue;
      for (const jit::Value* input : tensor_inputs(node)) open.push_back(input);
    }
    std::set<const jit::Value*> from_input = {traced_.input};
    for (const jit::Node* node : traced_.graph->nodes()) {
      const auto is_from_input = [&](const jit::Value* value) { return from_input.count(value) != 0; };
      if (std::ranges::any_of(node->inputs(), is_from_input))
        from_input.insert(node->outputs().begin(), node->outputs().end());
      else
        needed_.erase(node);
    }
  }

  /// The inputs that carry activations: all tensors but a layer's parameters and grids.
  static std::vector<const jit::Value*> tensor_inputs(const jit::Node* node) {
    const std::string kind = node->kind().toQualString();
    if (kind.starts_with("samebits::")) return {node->input(0)};
    std::vector<const jit::Value*> inputs;
    for (const jit::Value* input : node->inputs())
      if (input->type()->isSubtypeOf(*c10::TensorType::get()) ||
          input->type()->isSubtypeOf(*c10::ListType::ofTensors()))
        inputs.push_back(input);
    return inputs;
  }

  void add(const jit::Node* node) {
    static const std::map<std::string, void (GraphBuilder::*)(const jit::Node*)> kHandlers = {
        {"samebits::linear", &GraphBuilder::add_layer},
        {"samebits::conv2d", &GraphBuilder::add_layer},
        {"aten::relu", &GraphBuilder::add_relu},
        {"aten::relu_", &GraphBuilder::add_relu},
        {"samebits::relu", &GraphBuilder::add_relu},
        {"aten::max_pool2d", &GraphBuilder::add_max_pool},
        {"samebits::max_pool2d", &GraphBuilder::add_samebits_max_pool},
        {"aten::avg_pool2d", &GraphBuilder::add_avg_pool},
        {"aten::flatten", &GraphBuilder::add_flatten},
        {"aten::view", &GraphBuilder::add_view},
        {"aten::reshape", &GraphBuilder::add_view},
        {"aten::add", &GraphBuilder::add_add},
        {"aten::add_", &GraphBuilder::add_add},
        {"aten::dropout", &GraphBuilder::pass_through},
        {"aten::feature_dropout", &GraphBuilder::pass_through},
        {"aten::contiguous", &GraphBuilder::pass_through},
        {"aten::detach", &GraphBuilder::pass_through},
    };
    const std::string kind = node->kind().toQualString();
    const auto handler = kHandlers.find(kind);
    if (handler != kHandlers.end()) return (this->*handler->second)(node);
    static const std::set<std::string> kFloatLayers = {"aten::linear", "aten::addmm",        "aten::matmul",
                                                       "aten::mm",     "aten::_convolution", "aten::conv2d"};
    const std::string hint = kFloatLayers.count(kind) != 0
                                 ? "a float layer cannot be exported bit for bit: make it a QAT layer"
                                 : "compute it outside of the exported model";
    TORCH_CHECK(false, "[export] after ", previous(),
                ": expected linear, conv2d, relu, max_pool2d, avg_pool2d, flatten or add, got ", kind, "; ",
                hint);
  }

  std::string previous() const { return nodes_.empty() ? "the input" : nodes_.back().name; }

  const std::string& name_of(const jit::Value* value) const {
    const auto found = names_.find(value);
    TORCH_CHECK(
        found != names_.end(), "[export] after ", previous(),
        ": expected a value computed from the input, got ",
        traced_.parameters.count(value) != 0 ? "parameter " + traced_.parameters.at(value) : "a constant",
        "; the model may use its parameters in QAT layers only");
    return found->second;
  }

  template <class T>
  T constant(const jit::Node* node, std::size_t input, const char* what) const {
    const auto value = jit::toIValue(node->input(input));
    TORCH_CHECK(value.has_value(), "[export] after ", previous(), ": expected a constant ", what, " of ",
                node->kind().toQualString(), ", got a computed one; write it as a number");
    return value->to<T>();
  }

  /// A list of integers: the tracer builds it from constants in a node of its own.
  std::vector<std::int64_t> integers(const jit::Node* node, std::size_t input, const char* what) const {
    const jit::Node* list = node->input(input)->node();
    if (list->kind() != jit::prim::ListConstruct)
      return constant<std::vector<std::int64_t>>(node, input, what);
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < list->inputs().size(); ++i)
      values.push_back(constant<std::int64_t>(list, i, what));
    return values;
  }

  std::array<std::int64_t, 2> pair(const jit::Node* node, std::size_t input, const char* what) const {
    const std::vector<std::int64_t> values = integers(node, input, what);
    TORCH_CHECK(values.size() == 1 || values.size() == 2, "[export] ", node->kind().toQualString(),
                ": expected 2 ", what, ", got ", values.size());
    return {values.front(), values.back()};
  }

  /// A node with its inputs named; finish() names its output.
  Node start(Op op, std::vector<const jit::Value*> inputs) const {
    Node node{.op = op, .name = std::string(runtime::op_name(op)) + "_" + std::to_string(nodes_.size())};
    for (const jit::Value* input : inputs) node.inputs.push_back(name_of(input));
    return node;
  }
  void finish(Node node, const jit::Value* output) {
    node.output = "v" + std::to_string(nodes_.size() + 1);
    names_[output] = node.output;
    nodes_.push_back(std::move(node));
  }

  void add_layer(const jit::Node* node) {
    const auto parameter = traced_.parameters.find(node->input(1));
    TORCH_CHECK(parameter != traced_.parameters.end() && parameter->second.ends_with("weight"),
                "[export] after ", previous(),
                ": expected the weight of a registered QAT layer, got a computed tensor");
    const std::string dotted =
        parameter->second.substr(0, parameter->second.size() - std::string("weight").size());
    const std::string path = dotted.empty() ? dotted : dotted.substr(0, dotted.size() - 1);
    const auto found = layers_.find(path);
    TORCH_CHECK(found != layers_.end(), "[export] ", path, ": expected a QAT layer of that path, got none");
    const QATLayer& layer = *found->second;
    const auto* conv = dynamic_cast<const QATConv2dImpl*>(&layer);
    const std::string name = unique_name(path);
    Node out = start(conv != nullptr ? Op::kConv2d : Op::kLinear, {node->input(0)});
    if (layer.has_relu_input()) out.inputs = {add_input_relu(name, node->input(0))};
    out.name = name;
    out.input_grid = layer.input().affine_grid();
    out.weight = exported_weight(layer);
    if (layer.bias.defined()) out.bias = values_of<float>(layer.bias);
    if (conv != nullptr) {
      const ops::Conv2dWindow& window = *layer.quantizer().product().window;
      out.window = {.kernel = {layer.weight.size(2), layer.weight.size(3)},
                    .stride = window.stride,
                    .padding = window.padding,
                    .dilation = window.dilation,
                    .groups = window.groups};
    }
    finish(std::move(out), node->output(0));
  }

  /// The relu in front of a layer, as a node of its own; returns the name of its output.
  std::string add_input_relu(const std::string& layer, const jit::Value* input) {
    Node relu = start(Op::kRelu, {input});
    relu.name = layer + ".relu";
    relu.output = "v" + std::to_string(nodes_.size() + 1);
    nodes_.push_back(std::move(relu));
    return nodes_.back().output;
  }

  /// A layer that is used twice gets two nodes.
  std::string unique_name(const std::string& path) {
    const int use = ++uses_[path];
    return use == 1 ? path : path + "#" + std::to_string(use);
  }

  void add_relu(const jit::Node* node) { finish(start(Op::kRelu, {node->input(0)}), node->output(0)); }

  void add_max_pool(const jit::Node* node) {
    Node out = start(Op::kMaxPool2d, {node->input(0)});
    out.window.kernel = pair(node, 1, "kernel sizes");
    const bool has_stride = !integers(node, 2, "strides").empty();
    out.window.stride = has_stride ? pair(node, 2, "strides") : out.window.kernel;
    out.window.padding = pair(node, 3, "paddings");
    out.window.dilation = pair(node, 4, "dilations");
    out.window.ceil_mode = constant<bool>(node, 5, "ceil_mode");
    finish(std::move(out), node->output());
  }

  void add_samebits_max_pool(const jit::Node* node) {
    Node out = start(Op::kMaxPool2d, {node->input(0)});
    out.window.kernel = pair(node, 1, "kernel sizes");
    out.window.stride = pair(node, 2, "strides");
    out.window.padding = pair(node, 3, "paddings");
    finish(std::move(out), node->output(0));
  }

  void add_avg_pool(const jit::Node* node) {
    Node out = start(Op::kAvgPool2d, {node->input(0)});
    out.window.kernel = pair(node, 1, "kernel sizes");
    const bool has_stride = !integers(node, 2, "strides").empty();
    out.window.stride = has_stride ? pair(node, 2, "strides") : out.window.kernel;
    out.window.padding = pair(node, 3, "paddings");
    const bool padded = out.window.padding != std::array<std::int64_t, 2>{0, 0};
    const bool counts_padding = constant<bool>(node, 5, "count_include_pad");
    TORCH_CHECK(!constant<bool>(node, 4, "ceil_mode") && (counts_padding || !padded) &&
                    jit::toIValue(node->input(6))->isNone(),
                "[export] ", out.name,
                ": expected ceil_mode false, count_include_pad true and no divisor_override, got another "
                "average; pad "
                "or crop before the pool");
    finish(std::move(out), node->output());
  }

  void add_flatten(const jit::Node* node) {
    const std::int64_t rank = static_cast<std::int64_t>(sizes_of(node->input(0)).size());
    Node out = start(Op::kFlatten, {node->input(0)});
    std::int64_t start_dim = constant<std::int64_t>(node, 1, "start_dim"),
                 end_dim = constant<std::int64_t>(node, 2, "end_dim");
    if (start_dim < 0) start_dim += rank;
    if (end_dim < 0) end_dim += rank;
    TORCH_CHECK(start_dim >= 1 && end_dim == rank - 1, "[export] ", out.name,
                ": expected to flatten from dimension 1 or later to the last, got ", start_dim, " to ",
                end_dim);
    out.start_dim = start_dim;
    finish(std::move(out), node->output());
  }

  /// view and reshape, where they flatten all but the batch.
  void add_view(const jit::Node* node) {
    const auto from = sizes_of(node->input(0)), to = sizes_of(node->output());
    if (from == to) return pass_through(node);
    TORCH_CHECK(to.size() == 2 && to[0] == from[0], "[export] after ", previous(), ": expected ",
                node->kind().toQualString(), " to keep the batch and flatten the rest, got ",
                at::IntArrayRef(from), " to ", at::IntArrayRef(to));
    finish(start(Op::kFlatten, {node->input(0)}), node->output());
  }

  void add_add(const jit::Node* node) {
    TORCH_CHECK(constant<at::Scalar>(node, 2, "alpha").toDouble() == 1.0 &&
                    sizes_of(node->input(0)) == sizes_of(node->output()) &&
                    names_.count(node->input(1)) != 0 && sizes_of(node->input(1)) == sizes_of(node->output()),
                "[export] after ", previous(),
                ": expected the sum of two computed tensors of one shape, got another add");
    finish(start(Op::kAdd, {node->input(0), node->input(1)}), node->output());
  }

  void pass_through(const jit::Node* node) { names_[node->output()] = name_of(node->input(0)); }

  const TracedModel& traced_;
  std::map<std::string, std::shared_ptr<QATLayer>> layers_;
  std::set<const jit::Node*> needed_;
  std::map<const jit::Value*, std::string> names_;
  std::map<std::string, int> uses_;
  std::vector<Node> nodes_;
};

void check_states(const ModelRef& model) {
  for (const auto& module : model.module.named_modules("", /*include_self=*/false)) {
    const auto layer = as_qat_layer(module.value());
    if (layer == nullptr) continue;
    TORCH_CHECK(layer->state() == QuantizerState::kQuantizing || layer->state() == QuantizerState::kFrozen,
                "[export] ", module.key(), ": expected state quantizing or frozen, got ",
                state_name(layer->state()), "; train past qat.observe_steps or call freeze()");
  }
}

}  // namespace

QuantizedModel convert(const ModelRef& model, const torch::Tensor& example, const std::string& name) {
  TORCH_CHECK(example.dim() >= 2, "[export] example: expected a batch, [n, ...], got shape ",
              example.sizes());
  check_states(model);
  const TracedModel traced = trace(model, example);
  runtime::Graph graph = GraphBuilder(traced, model).build(name, example);
  runtime::check(graph);
  return QuantizedModel(std::move(graph));
}

void QuantizedModel::save(const std::filesystem::path& folder) const {
  runtime::save_package(graph_, folder);
}

void QuantizedModel::export_onnx(const std::filesystem::path& path) const {
  samebits::export_onnx(graph_, path);
}

}  // namespace samebits
