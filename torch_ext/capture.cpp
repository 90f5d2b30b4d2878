#include "torch_ext/capture.h"

#include <ATen/Context.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "torch_ext/graph/program/program.h"
#include "torch_ext/graph/program/rewrite.h"
#include "torch_ext/graph/trace_program.h"

namespace samebits {
namespace {

using torch::Tensor;

/// Puts back the buffers that training forwards write.
class BufferGuard {
 public:
  explicit BufferGuard(const torch::nn::Module& module) {
    for (const Tensor& buffer : module.buffers()) buffers_.emplace_back(buffer, buffer.detach().clone());
  }
  ~BufferGuard() { restore(); }
  BufferGuard(const BufferGuard&) = delete;
  BufferGuard& operator=(const BufferGuard&) = delete;

  void restore() {
    const torch::NoGradGuard no_grad;
    for (auto& [buffer, before] : buffers_) buffer.copy_(before);
  }

 private:
  std::vector<std::pair<Tensor, Tensor>> buffers_;
};

/// Random numbers of the CPU from the same place on.
void restart_random_numbers() {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  const std::lock_guard lock(generator.mutex());
  generator.set_current_seed(1);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.numel() == 0 || std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0;
}

/// What a forward and its backward give.
struct Outcome {
  Tensors outputs, gradients, buffers;
};

/// A sum with other factors for other elements, so that no gradient is zero by symmetry.
Tensor weighted_sum(const Tensors& outputs) {
  Tensor sum;
  for (const Tensor& each : outputs) {
    if (!each.requires_grad() || !each.is_floating_point()) continue;
    const Tensor factors =
        torch::arange(each.numel(), each.options().requires_grad(false)).remainder(7).sub(2);
    const Tensor part = (each.reshape({-1}) * factors).sum();
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

class Replay {
 public:
  Replay(const ModelRef& model, GraphModuleImpl& graph, const Tensors& examples)
      : model_(model), graph_(graph), examples_(examples), buffers_(model.module) {
    for (const auto& each : model.module.named_parameters()) names_.push_back(each.key());
  }

  void check() {
    graph_.train();
    check("training", run(true, true), run(false, true));
    model_.module.eval();
    graph_.eval();
    check("eval", run(true, false), run(false, false));
    model_.module.train();
  }

 private:
  Outcome run(bool is_model, bool has_gradients) {
    buffers_.restore();
    restart_random_numbers();
    const torch::AutoGradMode grad_mode(has_gradients);
    Tensors inputs;
    for (const Tensor& each : examples_) inputs.push_back(each.clone());
    Outcome outcome;
    outcome.outputs = is_model ? model_.call(inputs) : graph_.forward(inputs);
    for (const Tensor& buffer : model_.module.buffers()) outcome.buffers.push_back(buffer.clone());
    if (!has_gradients) return outcome;
    Tensors wanted;
    for (const Tensor& parameter : model_.module.parameters())
      if (parameter.requires_grad()) wanted.push_back(parameter);
    const Tensor sum = weighted_sum(outcome.outputs);
    if (sum.defined() && !wanted.empty())
      outcome.gradients =
          torch::autograd::grad({sum}, wanted, {}, std::nullopt, false, /*allow_unused=*/true);
    return outcome;
  }

  void check(const char* mode, const Outcome& model, const Outcome& graph) const {
    const char* const hint =
        "; a trace does not show branches on values or on the mode, functions with a backward of their own, "
        "and "
        "writes to memory that it does not see";
    TORCH_CHECK(model.outputs.size() == graph.outputs.size() &&
                    std::ranges::equal(model.outputs, graph.outputs, same_bits),
                "[capture] model: expected the graph to give what the model gives in ", mode,
                " mode, got other bits for a batch of ", examples_[0].size(0), hint);
    TORCH_CHECK(std::ranges::equal(model.buffers, graph.buffers, same_bits),
                "[capture] model: expected the graph to write the buffers that the model writes in ", mode,
                " mode, got other values", hint);
    std::size_t place = 0;
    for (std::size_t i = 0; i < names_.size() && !model.gradients.empty(); ++i) {
      if (!model_.module.parameters()[i].requires_grad()) continue;
      TORCH_CHECK(same_bits(model.gradients[place], graph.gradients[place]), "[capture] ", names_[i],
                  ": expected the graph to give the gradient that the model gives, got other bits", hint);
      ++place;
    }
  }

  const ModelRef& model_;
  GraphModuleImpl& graph_;
  const Tensors& examples_;
  BufferGuard buffers_;
  std::vector<std::string> names_;
};

bool is_on_cpu(const torch::nn::Module& module) {
  return std::ranges::all_of(module.parameters(), [](const Tensor& each) { return each.is_cpu(); });
}

}  // namespace

GraphModule capture(const ModelRef& model, const Tensors& examples) {
  std::shared_ptr<GraphModuleImpl> graph;
  {
    const EvalGuard modes(model.module);  // given back at the end
    BufferGuard buffers(model.module);
    model.module.train();
    const torch::AutoGradMode grad_mode(true);
    Program program = program_of(trace(model, examples), model.module);
    use_public_convolutions(program);
    graph = std::make_shared<GraphModuleImpl>(std::move(program), &model.module);
    // Sums of a device need not come out the same twice.
    if (is_on_cpu(model.module)) Replay(model, *graph, other_examples(model, examples, 1, 0)).check();
  }
  graph->adopt_modes(model.module);
  return GraphModule(graph);
}

}  // namespace samebits
