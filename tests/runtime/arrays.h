// Inputs and comparisons that the tests of runtime/ share.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "runtime/interpreter.h"
#include "tests/graph/op_cases.h"

namespace samebits::runtime {

/// Normal values for each input, some far outside of every grid and, where only integer layers read them,
/// infinite.
inline std::vector<Array> random_inputs(const graph::Graph& graph, std::int64_t batch, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Array> inputs;
  for (const graph::Input& input : graph.inputs) {
    graph::FloatTensor x = graph::random_tensor(graph::sizes_at(input.type.shape, {batch, 1}), random);
    for (std::size_t i = 0; i < x.values.size(); i += 17) x.values[i] *= i % 2 == 0 ? 100.0f : 1e30f;
    inputs.push_back({std::move(x.shape), std::move(x.values)});
  }
  return inputs;
}

inline oracle::Tensors tensors_of(const std::vector<Array>& arrays) {
  oracle::Tensors tensors;
  for (const Array& array : arrays) tensors.push_back({array.shape, array.values});
  return tensors;
}

inline void expect_same_bits(const Array& actual, const graph::FloatTensor& expected) {
  ASSERT_EQ(actual.shape, expected.shape);
  ASSERT_EQ(actual.values.size(), expected.values.size());
  for (std::size_t i = 0; i < actual.values.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(actual.values[i]),
              std::bit_cast<std::uint32_t>(expected.values[i]))
        << "element " << i << ": " << actual.values[i] << " instead of " << expected.values[i];
}
inline void expect_same_bits(const Array& actual, const Array& expected) {
  expect_same_bits(actual, graph::FloatTensor{expected.shape, expected.values});
}

/// Every node's output has the oracle's bits, and the results without watching them too, for batches of 0, 1
/// and 5 items at 1, 2 and 3 threads.
inline void expect_as_oracle(const graph::Graph& graph) {
  for (const std::int64_t batch : {0, 1, 5}) {
    const std::vector<Array> x = random_inputs(graph, batch, 3);
    const auto expected = oracle::run(graph, tensors_of(x));
    for (const int threads : {1, 2, 3}) {
      SCOPED_TRACE(testing::Message() << "batch " << batch << ", " << threads << " threads");
      Interpreter interpreter(graph, threads);
      std::vector<std::string> seen, names;
      interpreter.on_node = [&](const graph::Node& node, const Array& y) {
        SCOPED_TRACE(node.name);
        seen.push_back(node.name);
        expect_same_bits(y, expected.at(node.outputs[0]));
      };
      const auto check_results = [&] {
        const std::vector<Array> results = interpreter.run(x);
        for (std::size_t i = 0; i < results.size(); ++i)
          expect_same_bits(results[i], expected.at(graph.outputs[i]));
      };
      check_results();
      for (const graph::Node& node : graph.nodes) names.push_back(node.name);
      EXPECT_EQ(seen, names);
      interpreter.on_node = nullptr;  // now with steps folded
      check_results();
    }
  }
}

}  // namespace samebits::runtime
