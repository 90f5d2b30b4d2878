#include "runtime/schedule.h"

#include "graph/passes/code_chains.h"
#include "graph/passes/dead_code.h"
#include "graph/wiring.h"

namespace samebits::runtime {
namespace {

using graph::Graph;
using graph::Wiring;

std::vector<Step> folded_steps(const Graph& graph, const Wiring& wiring) {
  const std::vector<bool> needed = graph::needed_nodes(graph, wiring),
                          fused = graph::fused_relus(graph, wiring);
  const auto readers = graph::code_readers(graph, wiring, fused);
  std::vector<Step> steps;
  std::vector<bool> is_done(graph.nodes.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (is_done[i] || !needed[i]) continue;
    Step step{
        .node = i, .relu = fused[i], .inputs = wiring.inputs[i], .outputs = wiring.outputs[i], .reader = {}};
    if (fused[i]) {
      const std::size_t relu = wiring.readers[step.outputs.front()].front();
      step.outputs = wiring.outputs[relu];
      is_done[relu] = true;
    }
    step.reader = readers[step.outputs.front()];
    steps.push_back(std::move(step));
  }
  return steps;
}

std::vector<Step> plain_steps(const Graph& graph, const Wiring& wiring) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    steps.push_back(
        {.node = i, .relu = false, .inputs = wiring.inputs[i], .outputs = wiring.outputs[i], .reader = {}});
  return steps;
}

}  // namespace

Schedule make_schedule(const Graph& graph, bool fold) {
  const Wiring wiring = graph::wiring_of(graph);
  Schedule schedule;
  schedule.steps = fold ? folded_steps(graph, wiring) : plain_steps(graph, wiring);
  schedule.results = wiring.results;
  schedule.values = wiring.writer.size();
  schedule.inputs = graph.inputs.size();
  return schedule;
}

}  // namespace samebits::runtime
