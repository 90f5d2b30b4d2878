#include "torch_ext/graph_module.h"

#include <map>
#include <set>

#include "torch_ext/graph/program/module_tree.h"
#include "torch_ext/graph/program/program.h"
#include "torch_ext/graph/program/state_file.h"
#include "torch_ext/graph/program/step.h"
#include "torch_ext/graph/program/traced_scopes.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {
namespace {

torch::Device device_of(const Program& program) {
  return program.tensors.empty() ? torch::Device(torch::kCPU) : program.tensors[0].tensor.device();
}

std::string shape_text(const ProgramInput& input) {
  std::string text = "[";
  for (const auto& size : input.shape) {
    if (text.size() > 1) text += ", ";
    text += size.has_value() && size->product == 0 ? graph::to_text(size->linear) : "any";
  }
  return text + "]";
}

void check_input(const ProgramInput& input, const torch::Tensor& x, const graph::SymbolValues& sizes,
                 std::size_t place) {
  bool fits = x.dim() == static_cast<std::int64_t>(input.shape.size());
  for (std::size_t axis = 0; fits && axis < input.shape.size(); ++axis) {
    const auto& size = input.shape[axis];
    fits = !size.has_value() || size->product != 0 ||
           size->linear.at(sizes) == x.size(static_cast<std::int64_t>(axis));
  }
  TORCH_CHECK(fits, "[graph] input ", place + 1, ": expected ", shape_text(input), ", got ", x.sizes());
}

}  // namespace

GraphModuleImpl::GraphModuleImpl(Program program, const torch::nn::Module* like)
    : torch::nn::Module("GraphModule"),
      program_(std::make_unique<Program>(std::move(program))),
      device_(device_of(*program_)) {
  if (like != nullptr) mirror(*like, *this);
  register_tensors();
  register_layers();
  compile();
}

GraphModuleImpl::~GraphModuleImpl() = default;

torch::nn::Module& GraphModuleImpl::scope(const std::string& path) {
  return module_at(*this, path);
}

void GraphModuleImpl::register_tensors() {
  std::set<c10::TensorImpl*> registered;
  for (const auto& each : named_parameters()) registered.insert(each.value().unsafeGetTensorImpl());
  for (const auto& each : named_buffers()) registered.insert(each.value().unsafeGetTensorImpl());
  for (const ProgramTensorEntry& entry : program_->tensors) {
    if (entry.kind == ProgramTensorEntry::kConstant) continue;
    // A tied tensor once: an optimizer would update it for each of its names.
    if (!registered.insert(entry.tensor.unsafeGetTensorImpl()).second) continue;
    const auto [owner, name] = parted(entry.name);
    torch::nn::Module& module = scope(owner);
    if (entry.kind == ProgramTensorEntry::kParameter)
      module.register_parameter(name, entry.tensor, entry.tensor.requires_grad());
    else
      module.register_buffer(name, entry.tensor);
  }
}

void GraphModuleImpl::register_layers() {
  for (const ProgramNode& node : program_->nodes)
    if (node.layer != nullptr) put_module(*this, node.scope, node.layer);
}

void GraphModuleImpl::compile() {
  std::vector<ProgramStep> steps;
  for (const ProgramNode& node : program_->nodes)
    steps.emplace_back(node, *program_, nearest_module(*this, node.scope));
  std::set<std::size_t> used_later;
  const auto use = [&](const ProgramArgument& item) {
    if (item.value() != nullptr) used_later.insert(item.value()->id);
  };
  for (const ProgramArgument& output : program_->outputs) for_each_item(output, use);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const auto free_unless_used = [&](const ProgramValue value) {
      if (used_later.insert(value.id).second) step->last_uses.push_back(value.id);
    };
    for (const auto& result : step->node().results)
      for (const ProgramValue value : result) free_unless_used(value);
    for (const ProgramArgument& argument : step->node().arguments)
      for_each_item(argument, [&](const ProgramArgument& item) {
        if (item.value() != nullptr) free_unless_used(*item.value());
      });
  }
  steps_ = std::move(steps);
}

void GraphModuleImpl::set_program(Program program) {
  for (const ProgramNode& node : program_->nodes)
    if (node.layer != nullptr) take_module(*this, node.scope, *node.layer);
  program_ = std::make_unique<Program>(std::move(program));
  steps_.clear();
  register_tensors();
  register_layers();
  compile();
}

std::array<std::int64_t, 2> GraphModuleImpl::checked_sizes(const Tensors& inputs) const {
  TORCH_CHECK(inputs.size() == program_->inputs.size(), "[graph] forward: expected ", program_->inputs.size(),
              " inputs, got ", inputs.size());
  graph::SymbolValues sizes = {};
  for (std::size_t i = inputs.size(); i-- > 0;) {
    const ProgramInput& input = program_->inputs[i];
    TORCH_CHECK(inputs[i].defined(), "[graph] input ", i + 1, ": expected a tensor, got an undefined one");
    if (input.batch_axis >= 0 && input.batch_axis < inputs[i].dim())
      sizes[0] = inputs[i].size(input.batch_axis);
    if (input.sequence_axis >= 0 && input.sequence_axis < inputs[i].dim())
      sizes[1] = inputs[i].size(input.sequence_axis);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) check_input(program_->inputs[i], inputs[i], sizes, i);
  return sizes;
}

Tensors GraphModuleImpl::forward(const Tensors& inputs) {
  ProgramRun run;
  run.sizes = checked_sizes(inputs);
  run.frame.resize(program_->values);
  for (std::size_t i = 0; i < inputs.size(); ++i) run.frame[program_->inputs[i].value.id] = inputs[i];
  const TracedScopes scopes;  // nodes of a trace know where they come from
  for (const ProgramStep& step : steps_) {
    const TracedScopes::Entered entered(scopes, step.node().scope);
    step.run(run);
  }
  Tensors outputs;
  for (const ProgramArgument& output : program_->outputs) {
    const c10::IValue value = output.tensor() != nullptr ? program_->tensors[output.tensor()->index].tensor
                                                         : to_ivalue(output, c10::AnyType::get(), run);
    if (value.isTensor()) outputs.push_back(value.toTensor());
  }
  return outputs;
}

torch::Tensor GraphModuleImpl::one_of(const Tensors& inputs) {
  Tensors outputs = forward(inputs);
  TORCH_CHECK(outputs.size() == 1, "[graph] forward: expected one result, got ", outputs.size(),
              "; pass the inputs as a vector, which gives all");
  return std::move(outputs[0]);
}

void GraphModuleImpl::train(bool on) {
  for (const ProgramStep& step : steps_)
    TORCH_CHECK(
        on || !step.is_random(), "[graph] ", description(step.node()),
        ": expected random numbers that eval() can turn off, got an operator without a training flag; "
        "export the model in eval mode, or leave what draws them out of it");
  torch::nn::Module::train(on);
}

void GraphModuleImpl::move_constants(const std::function<torch::Tensor(const torch::Tensor&)>& move) {
  const torch::NoGradGuard no_grad;
  for (ProgramTensorEntry& entry : program_->tensors)
    if (entry.kind == ProgramTensorEntry::kConstant) entry.tensor.set_data(move(entry.tensor));
}

void GraphModuleImpl::move_devices(const torch::Device& device) {
  for (ProgramStep& step : steps_) step.replace_device(device_, device);
  device_ = device;
}

void GraphModuleImpl::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  torch::nn::Module::to(device, dtype, non_blocking);
  move_constants([&](const torch::Tensor& x) {
    return x.to(device, x.is_floating_point() ? dtype : x.scalar_type(), non_blocking);
  });
  move_devices(device);
}
void GraphModuleImpl::to(torch::Dtype dtype, bool non_blocking) {
  torch::nn::Module::to(dtype, non_blocking);
  move_constants([&](const torch::Tensor& x) {
    return x.to(x.is_floating_point() ? dtype : x.scalar_type(), non_blocking);
  });
}
void GraphModuleImpl::to(torch::Device device, bool non_blocking) {
  torch::nn::Module::to(device, non_blocking);
  move_constants([&](const torch::Tensor& x) { return x.to(device, x.scalar_type(), non_blocking); });
  move_devices(device);
}

std::shared_ptr<torch::nn::Module> GraphModuleImpl::clone(const std::optional<torch::Device>& device) const {
  const torch::NoGradGuard no_grad;
  Program copy = *program_;
  std::map<c10::TensorImpl*, torch::Tensor> copies;
  for (ProgramTensorEntry& entry : copy.tensors) {
    torch::Tensor& tensor = copies[entry.tensor.unsafeGetTensorImpl()];
    if (!tensor.defined())
      tensor = entry.tensor.detach().clone().set_requires_grad(entry.tensor.requires_grad());
    entry.tensor = tensor;
  }
  for (ProgramNode& node : copy.nodes)
    TORCH_CHECK(node.layer == nullptr, "[graph] clone: expected a graph that is not prepared, got layer ",
                node.scope, "; clone before prepare()");
  const auto graph = std::make_shared<GraphModuleImpl>(std::move(copy), nullptr);
  copy_modes(*this, *graph);
  if (device.has_value()) graph->to(*device);
  return graph;
}

void GraphModuleImpl::pretty_print(std::ostream& stream) const {
  stream << "GraphModule(" << program_->nodes.size() << " nodes)";
}

void GraphModuleImpl::save_state(const std::filesystem::path& path) const {
  write_state(path, named_state(*program_));
}

void GraphModuleImpl::load_state(const std::filesystem::path& path) {
  read_state(path, named_state(*program_));
}

void GraphModuleImpl::adopt_modes(const torch::nn::Module& like) {
  copy_modes(like, *this);
}

DynamicAxes GraphModuleImpl::axes() const {
  DynamicAxes axes;
  for (const ProgramInput& input : program_->inputs) {
    axes.batch.push_back(input.batch_axis);
    axes.sequence.push_back(input.sequence_axis);
  }
  return axes;
}

ModelRef model_ref(GraphModuleImpl& graph) {
  return {graph, [&graph](const Tensors& inputs) { return graph.forward(inputs); }, graph.axes()};
}

}  // namespace samebits
