// Which values share memory is what the operators' schemas say: Tensor(a) is a view of (a), Tensor(a!) is
// written.
#include "torch_ext/graph/in_place.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>

#include "torch_ext/graph/traced_layer.h"

namespace samebits {
namespace {

namespace jit = torch::jit;

using Roots = std::set<const jit::Value*>;

/// These give back their very input in eval mode, which their schemas do not say.
bool gives_back_its_input(const std::string& kind) {
  return kind == "aten::dropout" || kind == "aten::feature_dropout" || kind == "aten::alpha_dropout" ||
         kind == "aten::feature_alpha_dropout";
}

class InPlaceCheck {
 public:
  explicit InPlaceCheck(const TracedModel& traced) : traced_(traced) {}

  void run(const std::set<const jit::Node*>& needed) {
    for (const jit::Value* input : traced_.graph->inputs()) define(input, {input});
    for (const jit::Node* node : traced_.graph->nodes()) {
      ++time_;
      visit(node, needed.count(node) != 0);
    }
    for (const jit::Value* output : traced_.outputs) read(output, "the result");
  }

 private:
  struct Write {
    int time = -1;
    std::string kind;
  };

  void define(const jit::Value* value, Roots roots) {
    roots_[value] = std::move(roots);
    made_[value] = time_;
  }

  const Roots& roots_of(const jit::Value* value) {
    const auto found = roots_.find(value);
    if (found == roots_.end()) define(value, {value});
    return roots_[value];
  }

  /// Throws when the value's memory was written to since it was made.
  void read(const jit::Value* value, const std::string& reader) {
    for (const jit::Value* root : roots_of(value)) {
      const auto write = writes_.find(root);
      TORCH_CHECK(write == writes_.end() || write->second.time <= made_[value], "[export] ",
                  write->second.kind, ": expected its result to be used, got ", reader,
                  " that reads the tensor it wrote into as it was before; write it out of place");
    }
  }

  void visit(const jit::Node* node, bool is_needed) {
    const auto call = node->outputs().empty() ? traced_.calls.end() : traced_.calls.find(node->output(0));
    if (call != traced_.calls.end()) {
      if (is_needed) read(call->second.input, "a layer");
      if (is_needed)
        for (const jit::Value* state : states_of_call(node)) read(state, "a layer");
      return define(node->output(0), {node->output(0)});
    }
    if (traced_.within_calls.count(node) != 0) return;
    const std::string kind = node->kind().toQualString();
    if (is_needed)
      for (const jit::Value* input : node->inputs()) read(input, kind);
    record_writes(node, kind);
    for (const jit::Value* output : node->outputs()) define(output, output_roots(node, output, kind));
  }

  void record_writes(const jit::Node* node, const std::string& kind) {
    const c10::FunctionSchema* schema = node->maybeSchema();
    if (schema == nullptr) return;
    const std::size_t count = std::min(schema->arguments().size(), node->inputs().size());
    for (std::size_t i = 0; i < count; ++i) {
      const c10::AliasInfo* alias = schema->arguments()[i].alias_info();
      if (alias == nullptr || !alias->isWrite()) continue;
      for (const jit::Value* root : roots_of(node->input(i))) writes_[root] = {time_, kind};
    }
  }

  /// Views have the memory of what they are views of; lists that of their elements.
  Roots output_roots(const jit::Node* node, const jit::Value* output, const std::string& kind) {
    Roots roots;
    const auto take_over = [&](const jit::Value* input) {
      const Roots& from = roots_of(input);
      roots.insert(from.begin(), from.end());
    };
    const c10::FunctionSchema* schema = node->maybeSchema();
    if (node->kind().is_prim()) {
      for (const jit::Value* input : node->inputs()) take_over(input);
    } else if (gives_back_its_input(kind)) {
      take_over(node->input(0));
    } else if (schema != nullptr && output->offset() < schema->returns().size() &&
               schema->returns()[output->offset()].alias_info() != nullptr) {
      const std::size_t count = std::min(schema->arguments().size(), node->inputs().size());
      for (std::size_t i = 0; i < count; ++i)
        if (schema->arguments()[i].alias_info() != nullptr) take_over(node->input(i));
    }
    if (roots.empty()) roots.insert(output);
    return roots;
  }

  const TracedModel& traced_;
  int time_ = 0;
  std::map<const jit::Value*, Roots> roots_;
  std::map<const jit::Value*, int> made_;
  std::map<const jit::Value*, Write> writes_;  // of a root: the last one
};

}  // namespace

void check_in_place(const TracedModel& traced, const std::set<const jit::Node*>& needed) {
  InPlaceCheck(traced).run(needed);
}

}  // namespace samebits
