// export/c_header: compiled by a C compiler, with warnings as errors, headers give the bits of the
// runtime and of the oracle; what they cannot hold is refused by name.
#include "export/c_header/export_c_header.h"

#include <gmock/gmock.h>

#include "graph/operator.h"
#include "tests/export/c_program.h"
#include "tests/export/random_graph.h"
#include "tests/runtime/arrays.h"

namespace samebits {
namespace {

using graph::Graph;
using runtime::Array;

/// Which operators have a form; a case of another one is for RefusesWhatItCannotHold.
bool has_form(const std::string& op) {
  for (const char* each : {"linear", "conv2d", "float_linear", "float_conv2d", "relu", "clamp", "add",
                           "flatten", "max_pool2d", "avg_pool2d"})
    if (op == each) return true;
  return false;
}

/// What a form does not take: see RefusesWhatItCannotHold.
bool is_refused(const graph::OpCase& c) {
  if (!c.kinds.empty()) return true;  // sizes beside the batch, or integers
  if (const auto* pool = std::any_cast<graph::AvgPool2d>(&c.attributes))
    return pool->ceil_mode || !pool->count_include_pad;
  return std::any_cast<graph::Add>(&c.attributes) != nullptr && c.inputs[0] != c.inputs[1];
}

Graph named(Graph graph, std::string name) {
  graph.name = std::move(name);
  return graph;
}

/// Convolution, pools on codes and on floats, a skip, a grouped 4-bit layer; names that C does not have.
Graph small_cnn() {
  const Scheme int8{},
      int4{.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 32, .is_affine = true};
  GraphBuilder builder("small_cnn", 11, {3, 12, 10});
  builder.add_conv2d(int8, {8, 3, 3, 3}, {.padding = {1, 1}});
  builder.add(graph::Relu{});
  builder.add(graph::MaxPool2d{{2, 2}, {2, 2}});
  const std::string skipped = builder.add_conv2d(int8, {8, 1, 3, 3}, {.padding = {1, 1}, .groups = 8});
  builder.add(graph::Clamp{0, 6});
  builder.add_conv2d({.weight_bits = 4}, {8, 8, 1, 1});
  builder.add(graph::Add{}, skipped);
  builder.add(graph::AvgPool2d{{2, 2}, {2, 2}});
  builder.add(graph::Flatten{});
  builder.add_linear(int4, {17, 8 * 3 * 2});
  builder.add(graph::Relu{});
  builder.add_linear(int8, {10, 17});
  builder.graph.nodes[0].name = "block.0/conv \"1\" */";
  builder.graph.nodes[3].name = "block.0.conv..1.___";
  return builder.graph;
}

/// An operator between two layers, which runs on codes where it keeps order.
Graph between_layers(const graph::OpRow& row, const graph::OpCase& c) {
  std::mt19937 random(3);
  Graph graph = graph_of(row, c);
  graph::Node op = graph.nodes[0];
  op.inputs = {"front.y"};
  const graph::Sizes& in = c.inputs[0];
  const std::int64_t out = graph::checked_types(graph).back().shape.back().offset;
  const graph::WeightKind& kind = graph::kWeightKinds[1];
  const graph::Node front =
      in.size() == 3 ? graph::node_of("front", random_conv(kind, {in[0], in[0], 1, 1}, random), {"x"})
                     : graph::node_of("front", random_linear(kind, in.back(), in.back(), random), {"x"});
  graph.nodes = {front, op, graph::node_of("behind", random_linear(kind, 4, out, random), {"y"})};
  graph.outputs = {"behind.y"};
  return graph;
}

/// Results that are an input, a value twice, and a flatten.
Graph odd_results() {
  std::mt19937 random(5);
  Graph graph = graph::graph_of(
      {2, 3},
      {graph::node_of("fc", random_linear(graph::kWeightKinds[1], 5, 3, random), {"x"}),
       graph::node_of("flat", graph::Flatten{}, {"fc.y"}), graph::node_of("x flat", graph::Flatten{}, {"x"}),
       graph::node_of("unused", graph::Relu{}, {"flat.y"})});
  graph.outputs = {"x", "fc.y", "flat.y", "fc.y", "x flat.y"};
  return named(graph, "odd_results");
}

std::vector<Graph> models() {
  std::vector<Graph> models = {named(graph::graph_of_everything(), "everything"), small_cnn(), odd_results()};
  for (const graph::OpRow& row : graph::op_rows()) {
    if (!has_form(row.op)) continue;
    for (std::size_t i = 0; i < row.cases.size(); ++i) {
      if (is_refused(row.cases[i])) continue;
      const std::string name = std::string(row.op) + "_" + std::to_string(i);
      models.push_back(named(graph_of(row, row.cases[i]), "op_" + name));
      if (graph::find_operator(row.op)->keeps_order && row.cases[i].inputs.size() == 1)
        models.push_back(named(between_layers(row, row.cases[i]), "codes_" + name));
    }
  }
  return models;
}

void expect_bits(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(expected[i]))
        << "element " << i << ": " << got[i] << " instead of " << expected[i];
}

void expect_the_runtimes_bits(const std::vector<Graph>& models, const std::string& flags) {
  std::vector<CRun> runs;
  for (const Graph& graph : models)
    for (const unsigned seed : {3u, 4u}) runs.push_back({&graph, runtime::random_inputs(graph, 1, seed)});
  run_in_c(flags, runs);
  if (testing::Test::HasFatalFailure()) return;
  for (const CRun& run : runs) {
    SCOPED_TRACE(run.graph->name);
    ASSERT_EQ(run.result, 0);
    runtime::Interpreter interpreter(*run.graph);
    const std::vector<Array> expected = interpreter.run(run.inputs);
    const auto oracles = oracle::run(*run.graph, runtime::tensors_of(run.inputs));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      SCOPED_TRACE(run.graph->outputs[i]);
      expect_bits(run.outputs[i], expected[i].values);
      expect_bits(run.outputs[i], oracles.at(run.graph->outputs[i]).values);
    }
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(ExportCHeader, HasTheBitsOfTheRuntimeAndOfTheOracleForEveryCaseOfEveryOperator) {
  if (*SAMEBITS_C_COMPILER == '\0') GTEST_SKIP() << "programs that a test compiles do not run here";
  expect_the_runtimes_bits(models(), "-O2");
}

TEST(ExportCHeader, HasTheSameBitsAtOtherLevelsOfOptimization) {
  if (*SAMEBITS_C_COMPILER == '\0') GTEST_SKIP() << "programs that a test compiles do not run here";
  const std::vector<Graph> few = {named(graph::graph_of_everything(), "everything"), small_cnn()};
  for (const char* flags :
       {"-O0 -fsanitize=address,undefined -fno-sanitize-recover=all", "-O3 -march=native -mtune=native"})
    expect_the_runtimes_bits(few, flags);
}

TEST(ExportCHeader, NamesTheNodeWhoseInputHoldsNaN) {
  if (*SAMEBITS_C_COMPILER == '\0') GTEST_SKIP() << "programs that a test compiles do not run here";
  const Graph graph = small_cnn();
  std::vector<CRun> runs = {{&graph, runtime::random_inputs(graph, 1, 3)}};
  runs[0].inputs[0].values[7] = std::nanf("");
  run_in_c("-O2", runs);
  EXPECT_EQ(runs[0].result, 1);
  EXPECT_THAT(c_header(graph, ""), testing::HasSubstr(" *   1  conv2d  block.0/conv \"1\" _/\n"));
  EXPECT_EQ(error_of([&] { runtime::Interpreter(graph).run(runs[0].inputs); }),
            "[runtime] block.0/conv \"1\" */: input holds NaN; look for it in the model's input, then with "
            "on_node");
}

TEST(ExportCHeader, ValuesThatDoNotLiveAtTheSameTimeShareMemory) {
  // While conv2d_5 runs: floats of the skip, its input and its output, 8x6x5 each, and the codes of
  // its input.
  EXPECT_THAT(c_header(small_cnn(), ""), testing::HasSubstr("Memory: 3120 bytes"));
}

TEST(ExportCHeader, TheBytesDependOnTheGraphAlone) {
  EXPECT_EQ(c_header(small_cnn(), ""), c_header(small_cnn(), ""));
}

std::string refusal(const Graph& graph) {
  return error_of([&] { c_header(graph, "[c_header] net.h"); });
}

TEST(ExportCHeader, RefusesWhatItCannotHold) {
  std::mt19937 random(5);
  Graph sequence = graph::graph_of(
      {3}, {graph::node_of("fc", random_linear(graph::kWeightKinds[1], 5, 3, random), {"x"})});
  sequence.inputs[0].type.shape = {graph::kBatch, graph::kSequence, 3};
  EXPECT_EQ(refusal(sequence),
            "[c_header] net.h: x: expected float32 of shape [batch, numbers...], got float32 of [batch, "
            "sequence, 3]; "
            "save a package instead");

  Graph sum = graph::graph_of({3, 4}, {graph::node_of("sum", graph::Add{}, {"x", "row"})});
  sum.inputs.push_back({"row", {graph::Dtype::kFloat32, {graph::kBatch, 1, 4}}});
  EXPECT_EQ(refusal(sum),
            "[c_header] net.h: sum: expected two inputs of one shape, got items of [3, 4] and [1, 4]; save a "
            "package instead");
  for (const graph::AvgPool2d& pool : {graph::AvgPool2d{.kernel = {2, 2}, .ceil_mode = true},
                                       graph::AvgPool2d{.kernel = {2, 2}, .count_include_pad = false}})
    EXPECT_EQ(refusal(graph::graph_of({1, 5, 5}, {graph::node_of("mean", pool, {"x"})})),
              "[c_header] net.h: mean: expected an average of whole windows with their padding, got another; "
              "save a package instead");

  Graph unknown = graph::graph_of({3}, {graph::node_of("act", graph::Relu{}, {"x"})});
  graph::Operator softmax = *unknown.nodes[0].op;
  softmax.name = "softmax";
  unknown.nodes[0].op = &softmax;
  EXPECT_EQ(
      refusal(unknown),
      "[c_header] net.h: act: expected one of linear, conv2d, float_linear, float_conv2d, relu, clamp, add, "
      "flatten, max_pool2d, avg_pool2d, got softmax; save a package instead");

  Graph large =
      graph::graph_of({2048}, {graph::node_of("fc", graph::FloatLinear{{{4096, 2048}, {}}, {}}, {"x"})});
  large.nodes[0].as<graph::FloatLinear>().weight.values.resize(4096 * 2048);
  EXPECT_EQ(
      refusal(large),
      "[c_header] net.h: expected at most 16777216 bytes of arrays, got 33554432; save a package instead");
  EXPECT_EQ(error_of([&] { export_c_header(small_cnn(), "no/such/net.h"); }),
            "[write] no/such/net.h: No such file or directory");
}

}  // namespace
}  // namespace samebits
