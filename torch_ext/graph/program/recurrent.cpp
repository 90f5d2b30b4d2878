#include "torch_ext/graph/program/recurrent.h"

#include <algorithm>
#include <map>
#include <optional>

#include "torch_ext/graph/program/module_tree.h"
#include "torch_ext/modules/qat_linear.h"
#include "torch_ext/modules/qat_recurrent.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {
namespace {

/// Places of the arguments of aten::lstm.input and aten::gru.input.
enum : std::size_t {
  kInput,
  kStates,
  kParameters,
  kHasBiases,
  kLayers,
  kDropout,
  kTrain,
  kBidirectional,
  kBatchFirst,
  kArguments
};

struct Settings {
  bool has_cells, has_biases, train, is_bidirectional, is_batch_first;
  std::int64_t layers, directions;
  double dropout;
};

ProgramArgument number(std::int64_t value) {
  return {c10::IValue(value)};
}

/// The settings, where all of them are written as they are; nothing: they are not.
std::optional<Settings> settings_of(const ProgramNode& node) {
  const auto literal = [&](std::size_t place) { return node.arguments[place].literal(); };
  for (const std::size_t place : {kHasBiases, kLayers, kDropout, kTrain, kBidirectional, kBatchFirst})
    if (literal(place) == nullptr) return std::nullopt;
  const auto flag = [&](std::size_t place) { return literal(place)->toBool(); };
  return Settings{.has_cells = node.op == "aten::lstm",
                  .has_biases = flag(kHasBiases),
                  .train = flag(kTrain),
                  .is_bidirectional = flag(kBidirectional),
                  .is_batch_first = flag(kBatchFirst),
                  .layers = literal(kLayers)->toInt(),
                  .directions = flag(kBidirectional) ? 2 : 1,
                  .dropout = literal(kDropout)->toScalar().toDouble()};
}

/// Parameters of one direction of one layer, by place in Program::tensors.
struct CellParameters {
  std::size_t weight_ih, weight_hh;
  std::optional<std::size_t> bias_ih, bias_hh;
};

class Rewriter {
 public:
  Rewriter(const Program& program, std::vector<RefusedLayer>& refused)
      : source_(program), program_(program), refused_(refused) {}

  Program run() {
    program_.nodes.clear();
    for (const ProgramNode& node : source_.nodes) {
      const bool is_recurrent = node.layer == nullptr && node.overload == "input" &&
                                (node.op == "aten::lstm" || node.op == "aten::gru");
      if (!is_recurrent || !rewrite(node)) program_.nodes.push_back(node);
    }
    return std::move(program_);
  }

 private:
  bool refuse(const ProgramNode& node, const char* why) {
    refused_.push_back({node.scope, node.op, why});
    return false;
  }

  bool rewrite(const ProgramNode& node) {
    const auto settings = settings_of(node);
    const auto* parameters = std::get_if<ProgramList>(&node.arguments[kParameters].is);
    if (!settings.has_value() || parameters == nullptr) return refuse(node, "its settings are computed");
    const auto cells = static_cast<std::size_t>(settings->layers * settings->directions);
    const std::size_t each = settings->has_biases ? 4 : 2;
    if (parameters->size() != cells * each) return refuse(node, "it projects its state (proj_size)");
    const auto is_parameter = [&](const ProgramArgument& item) {
      return item.tensor() != nullptr &&
             program_.tensors[item.tensor()->index].kind == ProgramTensorEntry::kParameter;
    };
    if (!std::ranges::all_of(*parameters, is_parameter)) return refuse(node, "its weights are no parameters");
    const ProgramList states = states_of(node, *settings);
    if (states.empty() && settings->has_cells && !is_list(node.arguments[kStates]))
      return refuse(node, "its states are no list of two");
    std::vector<CellParameters> of_cells;
    for (std::size_t first = 0; first < parameters->size(); first += each) {
      const auto index = [&](std::size_t place) { return (*parameters)[first + place].tensor()->index; };
      of_cells.push_back({index(0), index(1), {}, {}});
      if (!settings->has_biases) continue;
      of_cells.back().bias_ih = index(2);
      of_cells.back().bias_hh = index(3);
    }
    build(node, *settings, of_cells, states);
    return true;
  }

  static bool is_list(const ProgramArgument& argument) {
    const auto* list = std::get_if<ProgramList>(&argument.is);
    return list != nullptr && list->size() == 2;
  }

  /// The states before the first step; none where they are zeros, which layers begin with.
  ProgramList states_of(const ProgramNode& node, const Settings& settings) const {
    ProgramList states;
    if (!settings.has_cells)
      states = {node.arguments[kStates]};
    else if (is_list(node.arguments[kStates]))
      states = std::get<ProgramList>(node.arguments[kStates].is);
    const auto is_zeros = [&](const ProgramArgument& state) {
      return state.value() != nullptr && std::ranges::any_of(source_.nodes, [&](const ProgramNode& maker) {
               return maker.op == "aten::zeros" && maker.results[0][0] == *state.value();
             });
    };
    if (std::ranges::all_of(states, is_zeros)) states.clear();
    return states;
  }

  bool is_read(const ProgramNode& node, std::size_t result) const {
    return node.results.size() > result && !node.results[result].empty() &&
           uses(source_, node.results[result][0]) > 0;
  }

  void build(const ProgramNode& node, const Settings& settings, const std::vector<CellParameters>& cells,
             const ProgramList& states) {
    const bool wants_cells = settings.has_cells && is_read(node, 2), wants_h = is_read(node, 1);
    ProgramArgument x = node.arguments[kInput];
    ProgramList last_h, last_c;
    const std::int64_t time = settings.is_batch_first ? 1 : 0;
    for (std::int64_t layer = 0; layer < settings.layers; ++layer) {
      ProgramList ys;
      for (std::int64_t direction = 0; direction < settings.directions; ++direction) {
        const std::int64_t cell = layer * settings.directions + direction;
        const RecurrentOptions options{settings.has_cells, settings.is_batch_first, direction == 1,
                                       wants_cells};
        ProgramArgument y = direction_of(node, options, cells[static_cast<std::size_t>(cell)], x,
                                         states_of_cell(node, states, cell));
        const std::int64_t hidden =
            program_.tensors[cells[static_cast<std::size_t>(cell)].weight_hh].tensor.size(1);
        const std::int64_t end = direction == 1 ? 0 : -1;
        if (wants_cells) {
          const ProgramArgument c = slice(node, y, hidden, 2 * hidden);
          y = slice(node, y, 0, hidden);
          last_c.push_back(select(node, c, time, end));
        }
        if (wants_h) last_h.push_back(select(node, y, time, end));
        ys.push_back(std::move(y));
      }
      x = ys.size() == 1 ? ys[0] : add(node, "aten::cat", "", {ProgramArgument{ys}, number(-1)});
      if (settings.dropout > 0 && layer + 1 < settings.layers)
        x = add(node, "aten::dropout", "",
                {x, ProgramArgument{c10::IValue(settings.dropout)},
                 ProgramArgument{c10::IValue(settings.train)}});
    }
    give(node, 0, x);
    if (wants_h) give(node, 1, add(node, "aten::stack", "", {ProgramArgument{last_h}, number(0)}));
    if (wants_cells) give(node, 2, add(node, "aten::stack", "", {ProgramArgument{last_c}, number(0)}));
  }

  /// Of all readers of a result from here on.
  void give(const ProgramNode& node, std::size_t result, const ProgramArgument& value) {
    if (node.results.size() <= result || node.results[result].empty()) return;
    const ProgramValue old = node.results[result][0];
    for (ProgramNode& made : program_.nodes)
      for (auto& values : made.results)
        for (ProgramValue& each : values)
          if (each == *value.value()) each = old;
    for (ProgramNode& made : program_.nodes)
      for (ProgramArgument& argument : made.arguments) replace(argument, *value.value(), old);
  }
  static void replace(ProgramArgument& argument, ProgramValue from, ProgramValue to) {
    if (auto* value = std::get_if<ProgramValue>(&argument.is); value != nullptr && *value == from)
      *value = to;
    if (auto* list = std::get_if<ProgramList>(&argument.is))
      for (ProgramArgument& item : *list) replace(item, from, to);
  }

  ProgramList states_of_cell(const ProgramNode& node, const ProgramList& states, std::int64_t cell) {
    ProgramList of_cell(2, ProgramArgument{c10::IValue()});
    for (std::size_t i = 0; i < states.size(); ++i) of_cell[i] = select(node, states[i], 0, cell);
    return of_cell;
  }

  ProgramArgument direction_of(const ProgramNode& node, const RecurrentOptions& options,
                               const CellParameters& cell, const ProgramArgument& x,
                               const ProgramList& states) {
    const std::shared_ptr<QATLayer> input = layer(cell.weight_ih, cell.bias_ih, nullptr),
                                    state = layer(cell.weight_hh, cell.bias_hh, &options);
    const ProgramArgument gates = add_layer(node, input, {x});
    return add_layer(node, state, {gates, states[0], states[1]});
  }

  /// One for all calls on the same weights that do the same.
  std::shared_ptr<QATLayer> layer(std::size_t weight, std::optional<std::size_t> bias,
                                  const RecurrentOptions* options) {
    const at::Tensor w = program_.tensors[weight].tensor,
                     b = bias.has_value() ? program_.tensors[*bias].tensor : at::Tensor();
    std::string path = path_of(program_.tensors[weight].name);
    for (; layers_.contains(path); path += "_") {
      const auto* recurrent = dynamic_cast<const QATRecurrentImpl*>(layers_[path].get());
      const bool is_alike = options == nullptr ? recurrent == nullptr
                                               : recurrent != nullptr && recurrent->options() == *options;
      if (is_alike && layers_[path]->weight.is_same(w) && layers_[path]->bias.is_same(b))
        return layers_[path];
    }
    std::shared_ptr<QATLayer> made;
    if (options != nullptr)
      made = std::make_shared<QATRecurrentImpl>(*options, w, b);
    else
      made = std::make_shared<QATLinearImpl>(LayerProduct{.is_aten_linear = true}, w, b, /*owns=*/false);
    paths_[made.get()] = path;
    return layers_[path] = made;
  }

  /// "rnn.ih_l0" of "rnn.weight_ih_l0".
  static std::string path_of(const std::string& parameter) {
    const auto [owner, own] = parted(parameter);
    const std::string prefix = "weight_";
    const std::string name = own.starts_with(prefix) ? own.substr(prefix.size()) : own + "_layer";
    return owner.empty() ? name : owner + "." + name;
  }

  ProgramArgument add_layer(const ProgramNode& node, const std::shared_ptr<QATLayer>& layer,
                            ProgramList arguments) {
    ProgramArgument y = add(node, node.op, "", std::move(arguments));
    program_.nodes.back().layer = layer;
    program_.nodes.back().scope = paths_.at(layer.get());
    return y;
  }

  ProgramArgument select(const ProgramNode& node, const ProgramArgument& x, std::int64_t dim,
                         std::int64_t index) {
    return add(node, "aten::select", "int", {x, number(dim), number(index)});
  }
  ProgramArgument slice(const ProgramNode& node, const ProgramArgument& x, std::int64_t begin,
                        std::int64_t end) {
    return add(node, "aten::slice", "Tensor", {x, number(2), number(begin), number(end), number(1)});
  }

  /// A node like `node` of another operator, which gives one value.
  ProgramArgument add(const ProgramNode& node, const std::string& op, const std::string& overload,
                      ProgramList arguments) {
    const ProgramValue y = program_.new_value();
    program_.nodes.push_back({.name = node.name + "_" + std::to_string(program_.nodes.size()),
                              .op = op,
                              .overload = overload,
                              .arguments = std::move(arguments),
                              .results = {{y}},
                              .scope = node.scope,
                              .source = node.source,
                              .grad_enabled = node.grad_enabled,
                              .layer = nullptr});
    return {y};
  }

  const Program& source_;
  Program program_;
  std::vector<RefusedLayer>& refused_;
  std::map<std::string, std::shared_ptr<QATLayer>> layers_;  // by path
  std::map<const QATLayer*, std::string> paths_;
};

}  // namespace

Program with_recurrent_layers(const Program& program, std::vector<RefusedLayer>& refused) {
  return Rewriter(program, refused).run();
}

}  // namespace samebits
