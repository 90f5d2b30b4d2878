// The operators under test, a row each: what they compute, and nodes that show it. The tests of every layer
// read this table: tests/graph (a package gives back what was saved, docs/reference/package.md names every
// key), tests/runtime (the oracle's bits at any batch and thread count), tests/export (onnxruntime gives
// them). A row that is missing is found. Themes of many operators have their rows in cases/.
#pragma once

#include <algorithm>
#include <map>

#include "tests/graph/cases/arithmetic.h"
#include "tests/graph/cases/functions.h"
#include "tests/graph/cases/logic.h"
#include "tests/graph/cases/lookup.h"
#include "tests/graph/cases/matmul.h"
#include "tests/graph/cases/normalize.h"
#include "tests/graph/cases/recurrent.h"
#include "tests/graph/cases/reduce.h"
#include "tests/graph/cases/resize.h"
#include "tests/graph/cases/shape.h"
#include "tests/graph/op_case.h"

namespace samebits::graph {

/// Windows that pools are tried with.
inline std::vector<MaxPool2d> pool_windows() {
  return {
      {{2, 2}, {2, 2}},
      {{3, 2}, {1, 3}},
      {{3, 3}, {2, 2}, {1, 1}},
      {},
      {{3, 3}, {2, 3}, {1, 0}, {1, 1}, true},
      {{2, 2}, {3, 3}, {1, 1}, {1, 1}, true},
      {{2, 3}, {1, 2}, {1, 1}, {3, 2}},
      {{3, 2}, {4, 3}, {1, 1}, {2, 3}, true},
      {{3, 9}, {3, 5}, {0, 0}, {1, 1}, true},  // reaches over the whole width of the smallest
      {{16, 17}, {1, 1}, {8, 8}},              // more elements than the vectorized pool takes
  };
}

inline std::vector<OpCase> linear_cases(std::mt19937& random) {
  std::vector<OpCase> cases;
  for (const WeightKind& kind : kWeightKinds)
    for (const auto& [out, in] : {std::pair{19, 37}, {16, 64}, {1, 1}})
      cases.push_back({kind.name + std::string(" of ") + std::to_string(in),
                       random_linear(kind, out, in, random),
                       {{in}}});
  cases.push_back({"rows of more dimensions", random_linear(kWeightKinds[6], 5, 12, random), {{2, 3, 12}}});
  const kernels::AffineGrid kGrids[] = {{.scale = 0.02f, .zero_point = 0, .qmin = -127, .qmax = 127},
                                        {.scale = 0.01f, .zero_point = -128, .qmin = -128, .qmax = 127},
                                        {.scale = 0.3f, .zero_point = 7, .qmin = -8, .qmax = 7},
                                        {.scale = 0x1p-126f, .zero_point = 3, .qmin = -128, .qmax = 127}};
  for (const kernels::AffineGrid& grid : kGrids) {
    Linear linear = random_linear(kWeightKinds[1], 6, 20, random);
    linear.input_grid = grid;
    cases.push_back({"another grid", linear, {{20}}});
    linear.bias.clear();
    cases.push_back({"another grid, no bias", linear, {{20}}});
  }
  for (const WeightKind& kind : kWeightKinds) {
    Linear linear = random_linear(kind, 19, 37, random);
    linear.channel_scale = random_factors(19, random);
    cases.push_back({kind.name + std::string(", channels with factors"), linear, {{37}}});
    linear.bias.clear();
    cases.push_back({kind.name + std::string(", channels with factors, no bias"), linear, {{37}}});
  }
  return cases;
}

struct ConvCase {
  const char* why;
  Sizes x, weight;
  Pair stride = {1, 1}, padding = {0, 0}, dilation = {1, 1};
  std::int64_t groups = 1;
};
inline std::vector<ConvCase> convolutions() {
  return {
      {"no padding", {3, 6, 7}, {5, 3, 3, 3}},
      {"one pixel", {1, 1, 1}, {1, 1, 1, 1}},
      {"padding keeps the size", {2, 5, 5}, {4, 2, 3, 3}, {1, 1}, {1, 1}},
      {"stride, and a padding wider than the kernel", {2, 7, 6}, {3, 2, 2, 3}, {2, 3}, {3, 4}},
      {"dilation", {2, 9, 8}, {3, 2, 3, 2}, {1, 1}, {0, 2}, {2, 3}},
      {"groups", {6, 5, 4}, {4, 3, 2, 2}, {1, 1}, {1, 0}, {1, 1}, 2},
      {"a channel each", {8, 6, 6}, {8, 1, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 8},
      {"all at once", {4, 11, 10}, {6, 2, 3, 2}, {2, 1}, {2, 1}, {2, 2}, 2},
  };
}
template <class C>
C with_window(C conv, const ConvCase& c) {
  conv.stride = c.stride;
  conv.padding = c.padding;
  conv.dilation = c.dilation;
  conv.groups = c.groups;
  return conv;
}

inline std::vector<OpCase> conv2d_cases(std::mt19937& random) {
  std::vector<OpCase> cases;
  for (const WeightKind& kind : kWeightKinds)
    for (const ConvCase& c : convolutions())
      if (kind.group_size == 0)
        cases.push_back({kind.name + std::string(": ") + c.why,
                         with_window(random_conv(kind, c.weight, random), c),
                         {c.x}});
  for (const WeightKind& kind : kWeightKinds)
    for (const ConvCase& c : convolutions()) {
      if (kind.group_size != 0) continue;
      Conv2d conv = with_window(random_conv(kind, c.weight, random), c);
      conv.channel_scale = random_factors(c.weight[0], random);
      if (c.groups != 1) conv.bias.clear();
      cases.push_back({kind.name + std::string(", channels with factors: ") + c.why, conv, {c.x}});
    }
  return cases;
}

inline std::vector<OpCase> float_linear_cases(std::mt19937& random) {
  std::vector<OpCase> cases;
  for (const auto& [out, in] : {std::pair{19, 37}, {16, 64}, {1, 1}, {70, 600}})
    cases.push_back({"of " + std::to_string(in),
                     FloatLinear{random_tensor({out, in}, random), random_floats(out, random)},
                     {{in}}});
  cases.push_back({"no bias", FloatLinear{random_tensor({3, 9}, random), {}}, {{9}}});
  FloatLinear scaled{random_tensor({7, 9}, random), random_floats(7, random), random_factors(7, random)};
  cases.push_back({"channels with factors", scaled, {{9}}});
  cases.push_back({"rows of more dimensions, channels with factors", scaled, {{2, 9}}});
  scaled.bias.clear();
  cases.push_back({"channels with factors, no bias", scaled, {{9}}});
  cases.push_back({"rows of more dimensions",
                   FloatLinear{random_tensor({5, 12}, random), random_floats(5, random)},
                   {{2, 3, 12}}});
  return cases;
}

inline std::vector<OpCase> float_conv2d_cases(std::mt19937& random) {
  std::vector<OpCase> cases;
  for (const ConvCase& c : convolutions()) {
    FloatConv2d conv = with_window(FloatConv2d{.weight = random_tensor(c.weight, random)}, c);
    cases.push_back({c.why + std::string(", no bias"), conv, {c.x}});
    conv.bias = random_floats(c.weight[0], random);
    cases.push_back({c.why, conv, {c.x}});
    conv.channel_scale = random_factors(c.weight[0], random);
    cases.push_back({c.why + std::string(", channels with factors"), conv, {c.x}});
  }
  return cases;
}

inline std::vector<OpCase> max_pool2d_cases() {
  std::vector<OpCase> cases;
  for (const MaxPool2d& pool : pool_windows())
    for (const std::int64_t size : {5, 6, 7, 8})
      cases.push_back({"window " + std::to_string(cases.size()), pool, {{3, size, size + 1}}});
  return cases;
}
inline std::vector<OpCase> avg_pool2d_cases() {
  std::vector<OpCase> cases;
  for (const bool count_include_pad : {true, false})
    for (const MaxPool2d& pool : pool_windows())
      if (pool.dilation == Pair{1, 1})
        cases.push_back({"window " + std::to_string(cases.size()),
                         AvgPool2d{pool.kernel, pool.stride, pool.padding, pool.ceil_mode, count_include_pad},
                         {{3, 7, 8}}});
  return cases;
}

inline const std::vector<OpRow>& op_rows() {
  static std::mt19937 random(5);
  static const std::vector<OpRow> kRows = {
      {"linear", oracle::run_linear, true, linear_cases(random)},
      {"conv2d", oracle::run_conv2d, true, conv2d_cases(random)},
      {"float_linear", oracle::run_float_linear, false, float_linear_cases(random)},
      {"float_conv2d", oracle::run_float_conv2d, false, float_conv2d_cases(random)},
      {"relu", oracle::run_relu, true, {{"vectors", Relu{}, {{37}}}, {"images", Relu{}, {{2, 3, 5}}}}},
      {"max_pool2d", oracle::run_max_pool2d, true, max_pool2d_cases()},
      {"avg_pool2d", oracle::run_avg_pool2d, true, avg_pool2d_cases()},
      {"flatten",
       oracle::run_flatten,
       true,
       {{"from 1", Flatten{1}, {{2, 3, 4}}},
        {"from 2", Flatten{2}, {{2, 3, 4}}},
        {"from 3", Flatten{3}, {{2, 3, 4}}}}},
      {"clamp",
       oracle::run_clamp,
       true,
       {{"relu6", Clamp{0, 6}, {{37}}},
        {"below zero", Clamp{-0.75f, -0.5f}, {{2, 3, 5}}},
        {"one value", Clamp{0.3f, 0.3f}, {{11}}},
        {"no upper bound", Clamp{-0.25f, kNoHigh}, {{37}}},
        {"no lower bound", Clamp{kNoLow, 0.5f}, {{37}}}}},
  };
  static const std::vector<OpRow> kAll = [] {
    std::vector<OpRow> rows = kRows;
    for (const auto& theme :
         {function_rows(), normalize_rows(), reduce_rows(), arithmetic_rows(), logic_rows(), shape_rows(),
          lookup_rows(), resize_rows(), matmul_rows(), recurrent_rows()})
      rows.insert(rows.end(), theme.begin(), theme.end());
    return rows;
  }();
  return kAll;
}

}  // namespace samebits::graph

namespace samebits::oracle {

/// Every value of the graph by name, computed node by node by the rows' oracles.
inline std::map<std::string, FloatTensor> run(const graph::Graph& graph, const Tensors& inputs) {
  std::map<std::string, FloatTensor> values;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    values[graph.inputs[i].name] = inputs[i];
    const graph::Shape& shape = graph.inputs[i].type.shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      if (shape[axis].plain_symbol() < graph::kSymbols)
        symbols()[shape[axis].plain_symbol()] = inputs[i].shape[axis];
  }
  for (const Node& node : graph.nodes) {
    Tensors arguments;
    for (const std::string& input : node.inputs) arguments.push_back(values.at(input));
    const auto& rows = graph::op_rows();
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const graph::OpRow& each) {
      return std::string(each.op) == node.op->name;
    });
    values[node.outputs[0]] = row->run(node, arguments);
  }
  return values;
}

}  // namespace samebits::oracle
