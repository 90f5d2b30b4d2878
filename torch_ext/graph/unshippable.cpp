#include "torch_ext/graph/unshippable.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits {

std::vector<Unshippable> unshippable_operators(const ModelRef& model, const Tensors& examples) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  try {
    const TracedModel traced = trace(model, examples);
    return TraceWalk(traced, model).problems();
  } catch (const c10::Error& error) {
    return {{"", "", error.what_without_backtrace()}};
  }
}

std::string to_text(const Unshippable& each) {
  if (each.op.empty()) return each.why;
  return each.op + (each.scope.empty() ? "" : " in " + each.scope) + ": " + each.why;
}

}  // namespace samebits
