// What of a model cannot ship, all at once and before it was trained.
#pragma once

#include <string>
#include <vector>

#include "torch_ext/forward.h"

namespace samebits {

struct Unshippable {
  std::string op;     // "aten::fold"; empty: the model as a whole
  std::string scope;  // of the module that computes it, where known
  std::string why;    // from "expected" on
};

/// Traces the model in eval mode and reads every operator as convert() does. Layers count as what ships. A
/// model that cannot be traced is one entry.
std::vector<Unshippable> unshippable_operators(const ModelRef& model, const Tensors& examples);

/// "aten::fold in head: expected …".
std::string to_text(const Unshippable& unshippable);

}  // namespace samebits
