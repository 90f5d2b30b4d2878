// runtime/interpreter.h against the oracle, bit for bit, at several thread counts. ops_test.cpp has each
// operator.
#include "runtime/interpreter.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "tests/graph/graphs.h"
#include "tests/io/test_files.h"
#include "tests/runtime/arrays.h"

namespace samebits::runtime {
namespace {

using graph::Conv2d;
using graph::Graph;
using graph::graph_of;
using graph::kWeightKinds;
using graph::Node;
using graph::node_of;
using graph::random_tensor;
using graph::Relu;

TEST(Interpreter, RunsAGraphOfEverything) {
  expect_as_oracle(graph::graph_of_everything());
}

TEST(Interpreter, KeepsValuesThatAreReadAgain) {
  // The input, a relu and a flatten are all used after an op that could work in place.
  Graph graph = graph_of(
      {2, 3, 4},
      {node_of("relu", Relu{}, {"x"}), node_of("relu2", Relu{}, {"relu.y"}),
       node_of("twice", graph::Add{}, {"relu.y", "relu.y"}), node_of("add", graph::Add{}, {"twice.y", "x"}),
       node_of("flatten", graph::Flatten{2}, {"relu.y"}), node_of("unused", Relu{}, {"add.y"})});
  for (const char* output : {"x", "relu.y", "relu2.y", "twice.y", "add.y", "flatten.y", "unused.y"}) {
    graph.outputs = {output};
    expect_as_oracle(graph);
  }
}

TEST(Interpreter, IsTheSameAtEveryThreadCountWhenThereIsEnoughWorkForAll) {
  std::mt19937 random(11);
  Conv2d conv = random_conv(kWeightKinds[1], {16, 8, 3, 3}, random);
  conv.padding = {1, 1};
  const graph::FloatConv2d float_conv{random_tensor({8, 16, 1, 1}, random), {}};
  const Graph graph =
      graph_of({8, 20, 20},
               {node_of("conv", conv, {"x"}), node_of("relu", Relu{}, {"conv.y"}),
                node_of("add", graph::Add{}, {"conv.y", "relu.y"}),
                node_of("max", graph::MaxPool2d{{2, 2}}, {"add.y"}),
                node_of("avg", graph::AvgPool2d{{2, 2}}, {"max.y"}), node_of("float", float_conv, {"avg.y"}),
                node_of("flatten", graph::Flatten{}, {"float.y"}),
                node_of("fc", random_linear(kWeightKinds[6], 40, 8 * 18 * 18, random), {"flatten.y"}),
                node_of("last", graph::FloatLinear{random_tensor({30, 40}, random), {}}, {"fc.y"})});
  const std::vector<Array> x = random_inputs(graph, 25, 4);  // millions of products in each layer
  const Array expected = Interpreter(graph, 1).run(x)[0];
  for (const int threads : {2, 3, 5}) expect_same_bits(Interpreter(graph, threads).run(x)[0], expected);
}

TEST(Interpreter, RunsAgainWithAnotherBatch) {
  const Graph graph = graph::graph_of_everything();
  Interpreter interpreter(graph, 2);
  for (const std::int64_t batch : {4, 1, 0, 6}) {
    const std::vector<Array> x = random_inputs(graph, batch, 8);
    std::vector<Array> got;
    interpreter.run(x, got);
    const std::vector<Array> expected = Interpreter(graph, 1).run(x);
    ASSERT_EQ(got.size(), 2u);
    for (const std::size_t i : {0u, 1u}) expect_same_bits(got[i], expected[i]);
  }
}

TEST(Interpreter, NamesTheNodeWhoseInputHoldsNaN) {
  const Graph graph = graph::graph_of_everything();
  for (const int threads : {1, 3}) {
    Interpreter interpreter(graph, threads);
    std::vector<Array> x = random_inputs(graph, 4, 1);
    const Array expected = interpreter.run(x)[0];
    const float earlier = std::exchange(x[0].values[300], std::nanf(""));
    EXPECT_EQ(error_of([&] { interpreter.run(x); }),
              "[runtime] conv1: input holds NaN; look for it in the model's input, then with on_node");
    x[0].values[300] = earlier;
    expect_same_bits(interpreter.run(x)[0], expected);  // the error leaves nothing behind
  }
  std::mt19937 random(5);
  const Graph late = graph_of({4}, {node_of("add", graph::Add{}, {"x", "x"}),
                                    node_of("fc", random_linear(kWeightKinds[1], 2, 4, random), {"add.y"})});
  EXPECT_EQ(error_of([&] {
              Interpreter(late).run(Array{{1, 4}, {1, 2, std::nanf(""), 4}});
            }),
            "[runtime] fc: input holds NaN; look for it in the model's input, then with on_node");
}

TEST(Interpreter, LetsNaNThroughWhereNothingIsQuantized) {
  const Graph graph = graph_of({2}, {node_of("relu", Relu{}, {"x"})});
  const Array y = Interpreter(graph).run(Array{{1, 2}, {std::nanf(""), -1}});
  EXPECT_TRUE(std::isnan(y.values[0]));
  EXPECT_EQ(y.values[1], 0.0f);
}

TEST(Interpreter, RefusesInputsOfAnotherShape) {
  Interpreter interpreter(graph_of({2, 3}, {node_of("relu", Relu{}, {"x"})}));
  const std::pair<Array, const char*> kCases[] = {
      {{{6}, std::vector<float>(6)}, "expected shape [batch, 2, 3], got [6]"},
      {{{1, 3, 2}, std::vector<float>(6)}, "expected shape [batch, 2, 3], got [1, 3, 2]"},
      {{{-1, 2, 3}, {}}, "expected shape [batch, 2, 3], got [-1, 2, 3]"},
      {{{}, {}}, "expected shape [batch, 2, 3], got []"},
      {{{2, 2, 3}, std::vector<float>(6)}, "expected 12 values for shape [2, 2, 3], got 6"},
      {{{1, 2, 3}, std::vector<float>(7)}, "expected 6 values for shape [1, 2, 3], got 7"},
      {{{std::numeric_limits<std::int64_t>::max(), 2, 3}, std::vector<float>(6)},
       "expected shape [batch, 2, 3], got [9223372036854775807, 2, 3]"},
  };
  for (const auto& [x, message] : kCases)
    EXPECT_EQ(error_of([&] { interpreter.run(x); }), std::string("[runtime] x: ") + message);
}

TEST(Interpreter, RefusesGraphsAndThreadCountsThatAreNone) {
  std::mt19937 random(5);
  Graph graph = graph_of({4}, {node_of("fc", random_linear(kWeightKinds[1], 2, 4, random), {"x"})});
  EXPECT_EQ(error_of([&] { Interpreter(graph, 0); }), "[runtime] threads: expected at least 1, got 0");
  graph.outputs = {"y"};
  EXPECT_EQ(error_of([&] { Interpreter(graph, 1); }),
            "[graph] output: expected the name of a value, got \"y\"");
  graph = graph_of({4}, {});
  graph.inputs[0].type.dtype = graph::Dtype::kInt64;
  EXPECT_EQ(error_of([&] { Interpreter(graph, 1); }), "[runtime] x: expected an input of float32, got int64");
}

TEST(Interpreter, TakesOneArrayAnInput) {
  Interpreter interpreter(graph::graph_of_everything());
  std::vector<Array> x = random_inputs(interpreter.graph(), 2, 1);
  EXPECT_EQ(error_of([&] { interpreter.run(std::span(x).first(1)); }), "[runtime] expected 2 inputs, got 1");
  EXPECT_EQ(error_of([&] { interpreter.run(x[0]); }),
            "[runtime] expected a graph of one output, got 2; run a list of inputs");
  x[1] = random_inputs(interpreter.graph(), 3, 1)[1];
  EXPECT_EQ(
      error_of([&] { interpreter.run(x); }),
      "[runtime] x: expected shape [batch, 3, 8, 6], got [2, 3, 8, 6]");  // the batch is the last input's
}

TEST(Interpreter, PassesOnWhatOnNodeThrows) {
  Interpreter interpreter(graph::graph_of_everything(), 2);
  interpreter.on_node = [](const Node& node, const Array&) { throw std::runtime_error(node.name); };
  const std::vector<Array> x = random_inputs(interpreter.graph(), 2, 1);
  EXPECT_EQ(error_of([&] { interpreter.run(x); }), "conv1");
  interpreter.on_node = nullptr;
  EXPECT_EQ(interpreter.run(x)[0].shape, (std::vector<std::int64_t>{2, 5}));
}

/// 0: `action` in a fork of this process gave true.
int exit_code_of_fork(const std::function<bool()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(action() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Interpreter, RunsInAForkWithOneThreadAndSaysSoWithMore) {
  const Graph graph = graph::graph_of_everything();
  const std::vector<Array> x = random_inputs(graph, 2, 1);
  Interpreter alone(graph, 1);
  const Array expected = alone.run(x)[0];
  EXPECT_EQ(exit_code_of_fork([&] { return alone.run(x)[0].values == expected.values; }), 0);
  EXPECT_EQ(exit_code_of_fork([&] {
              auto shared = std::make_unique<Interpreter>(graph, 1);
              return shared->run(x)[0].values == expected.values;
            }),
            0);
  auto several = std::make_unique<Interpreter>(graph, 3);
  several->run(x);
  const std::string process = std::to_string(::getpid());
  EXPECT_EQ(exit_code_of_fork([&] {
              const std::string error = error_of([&] { several->run(x); });
              const bool is_right = error == "[runtime] threads: expected the process that made them, " +
                                                 process + ", got a fork of it, " +
                                                 std::to_string(::getpid()) +
                                                 "; make the interpreter in the process that runs it";
              several.reset();  // waits for no thread that is not there
              return is_right;
            }),
            0);
  expect_same_bits(several->run(x)[0], expected);
}

}  // namespace
}  // namespace samebits::runtime
