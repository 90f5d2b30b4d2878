// Traces of one model at several sizes, side by side: what is the same in all is the model, integers that
// differ follow the batch or the sequence, and anything else that differs is a branch that a trace cannot
// show.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "torch_ext/graph/symbolic_size.h"

namespace samebits {

/// A trace, and the sizes it was made at.
struct TracePoint {
  graph::SymbolValues sizes;
  std::shared_ptr<torch::jit::Graph> graph;
};

class Alignment {
 public:
  using Value = torch::jit::Value;
  using Paths = std::map<const Value*, std::string>;

  Alignment() = default;
  /// The points are the example, then one with another batch; where the sequence changes too, then one with
  /// another sequence and one with both. `paths` names the first graph's parameters in messages. Throws
  /// c10::Error unless the traces are the same but for sizes.
  Alignment(std::vector<TracePoint> points, const Paths& paths);

  /// The integer or list of integers that a constant is, in symbols. Nothing: it follows the sizes in a way
  /// that a SymbolicSize cannot say.
  std::optional<SymbolicSize> size(const Value* constant) const;
  std::optional<std::vector<SymbolicSize>> sizes(const Value* constant) const;
  /// The shape of a tensor.
  std::optional<std::vector<SymbolicSize>> shape(const Value* tensor) const;
  /// Whether a constant is not the same in all traces.
  bool varies(const Value* constant) const { return varying_.contains(constant); }

 private:
  using Numbers = std::vector<std::int64_t>;
  void align(std::size_t point, const Paths& paths);
  void align_inputs(const torch::jit::Node* node, const torch::jit::Node* other, std::size_t point,
                    const std::string& where);
  void align_constants(const Value* value, const Value* other, const std::string& where);
  std::optional<SymbolicSize> fit(const Numbers& at_points) const;
  std::optional<std::vector<SymbolicSize>> fit_all(const std::vector<Numbers>& at_points) const;
  const Value* other(const Value* value, std::size_t point) const;

  std::vector<TracePoint> points_;
  std::vector<std::map<const Value*, const Value*>> others_;  // by point: what a value of the first is there
  std::map<const Value*, bool> varying_;
};

}  // namespace samebits
