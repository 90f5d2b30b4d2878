// The scope of the nodes that a tracer records: which submodule of a graph they come from.
#pragma once

#include <torch/csrc/jit/frontend/tracer.h>

#include <memory>
#include <string>

namespace samebits {

/// Looks once whether this thread traces: without a trace, entering a scope costs one comparison.
class TracedScopes {
 public:
  TracedScopes() {
    if (torch::jit::tracer::isTracing()) graph_ = torch::jit::tracer::getTracingState()->graph;
  }

  class Entered {
   public:
    Entered(const TracedScopes& scopes, const std::string& scope)
        : graph_(scope.empty() ? nullptr : scopes.graph_.get()) {
      if (graph_ == nullptr) return;
      before_ = graph_->current_scope();
      graph_->set_current_scope(before_->push(c10::Symbol::scope(scope)));
    }
    ~Entered() {
      if (graph_ != nullptr) graph_->set_current_scope(before_);
    }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

   private:
    torch::jit::Graph* graph_;
    torch::jit::ScopePtr before_;
  };

 private:
  std::shared_ptr<torch::jit::Graph> graph_;
};

}  // namespace samebits
