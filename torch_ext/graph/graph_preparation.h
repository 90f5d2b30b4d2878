// A graph's products as layers and its float operators as those that ship: what prepare() does to a
// GraphModule before it treats it like any model of QAT layers.
#pragma once

#include <memory>
#include <vector>

#include "torch_ext/config/qconfig.h"
#include "torch_ext/graph/program/batch_norms.h"
#include "torch_ext/graph/program/layers.h"
#include "torch_ext/graph/program/program.h"
#include "torch_ext/graph/program/rewrite.h"
#include "torch_ext/graph_module.h"

namespace samebits {

class GraphPreparation {
 public:
  /// Changes the graph, and runs it once so that layers know the weights that are made in each forward.
  GraphPreparation(GraphModuleImpl& graph, const Tensors& examples, const QConfig& config);
  /// Puts the graph back as it was, unless keep() was called.
  ~GraphPreparation();
  GraphPreparation(const GraphPreparation&) = delete;
  GraphPreparation& operator=(const GraphPreparation&) = delete;
  void keep() { before_.reset(); }

  const std::vector<RefusedLayer>& refused() const { return refused_; }
  /// Layers that batch norms became part of.
  const std::vector<JoinedNode>& joined() const { return joined_; }
  /// Embeddings whose rows are codes now, and those that are skipped.
  const std::vector<EmbeddingSite>& embeddings() const { return embeddings_; }

 private:
  GraphModuleImpl& graph_;
  std::unique_ptr<Program> before_;
  std::vector<RefusedLayer> refused_;
  std::vector<JoinedNode> joined_;
  std::vector<EmbeddingSite> embeddings_;
};

}  // namespace samebits
