#include "runtime/schedule.h"

#include <algorithm>

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

/// Gives each step's outputs buffers, and takes them back behind the last step that reads them.
void assign_buffers(const Wiring& wiring, Schedule& schedule) {
  std::vector<std::size_t> last_use(wiring.writer.size(), 0), free;
  for (std::size_t s = 0; s < schedule.steps.size(); ++s) {
    for (const std::size_t value : schedule.steps[s].outputs) last_use[value] = s;  // when nobody reads it
    for (const std::size_t value : schedule.steps[s].inputs) last_use[value] = s;
  }
  schedule.buffer.assign(wiring.writer.size(), 0);
  for (std::size_t s = 0; s < schedule.steps.size(); ++s) {
    const Step& step = schedule.steps[s];
    for (const std::size_t value : step.outputs) {
      if (free.empty()) free.push_back(schedule.buffers++);
      schedule.buffer[value] = free.back();
      free.pop_back();
    }
    std::vector<std::size_t> ending = step.inputs;
    ending.insert(ending.end(), step.outputs.begin(), step.outputs.end());
    std::sort(ending.begin(), ending.end());
    ending.erase(std::unique(ending.begin(), ending.end()), ending.end());
    for (const std::size_t value : ending)
      if (wiring.writer[value].has_value() && !wiring.is_result[value] && last_use[value] == s)
        free.push_back(schedule.buffer[value]);
  }
}

}  // namespace

Schedule make_schedule(const Graph& graph, bool fold) {
  const Wiring wiring = graph::wiring_of(graph);
  Schedule schedule;
  schedule.steps = fold ? folded_steps(graph, wiring) : plain_steps(graph, wiring);
  schedule.results = wiring.results;
  assign_buffers(wiring, schedule);
  return schedule;
}

}  // namespace samebits::runtime
