// Inputs and comparisons that the tests of runtime/ share.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "runtime/interpreter.h"
#include "tests/graph/op_cases.h"

namespace samebits::runtime {

/// The oracle has integers and bools as floats.
inline Array array_of(const graph::FloatTensor& x, graph::Dtype dtype) {
  Array array{.shape = x.shape, .dtype = dtype};
  if (dtype == graph::Dtype::kFloat32) array.values = x.values;
  if (dtype == graph::Dtype::kInt64) array.integers.assign(x.values.begin(), x.values.end());
  if (dtype == graph::Dtype::kBool) array.flags.assign(x.values.begin(), x.values.end());
  return array;
}
inline graph::FloatTensor tensor_of(const Array& array) {
  graph::FloatTensor x{array.shape, array.values};
  x.values.insert(x.values.end(), array.integers.begin(), array.integers.end());
  x.values.insert(x.values.end(), array.flags.begin(), array.flags.end());
  return x;
}

/// Normal values for each input of floats, some far outside of every grid; integers below the limit of
/// their input.
inline std::vector<Array> random_inputs(const graph::Graph& graph, std::int64_t batch, unsigned seed,
                                        const std::vector<std::int64_t>& limits = {}) {
  std::mt19937 random(seed);
  std::vector<Array> inputs;
  for (const graph::Input& input : graph.inputs) {
    const std::int64_t limit = inputs.size() < limits.size() ? limits[inputs.size()] : 2;
    graph::FloatTensor x = graph::values_for(input, limit, batch, random);
    if (input.type.dtype == graph::Dtype::kFloat32)
      for (std::size_t i = 0; i < x.values.size(); i += 17) x.values[i] *= i % 2 == 0 ? 100.0f : 1e30f;
    inputs.push_back(array_of(x, input.type.dtype));
  }
  return inputs;
}

inline oracle::Tensors tensors_of(const std::vector<Array>& arrays) {
  oracle::Tensors tensors;
  for (const Array& array : arrays) tensors.push_back(tensor_of(array));
  return tensors;
}

inline void expect_same_bits(const Array& actual, const graph::FloatTensor& expected) {
  ASSERT_EQ(actual.shape, expected.shape);
  const std::vector<float> values = tensor_of(actual).values;
  ASSERT_EQ(values.size(), expected.values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected.values[i]))
        << "element " << i << ": " << values[i] << " instead of " << expected.values[i];
}
inline void expect_same_bits(const Array& actual, const Array& expected) {
  EXPECT_EQ(actual.dtype, expected.dtype);
  expect_same_bits(actual, tensor_of(expected));
}

/// Every node's output has the oracle's bits, and the results without watching them too, for batches of 0, 1
/// and 5 items at 1, 2 and 3 threads.
inline void expect_as_oracle(const graph::Graph& graph, const std::vector<std::int64_t>& limits = {}) {
  for (const std::int64_t batch : {0, 1, 5}) {
    const std::vector<Array> x = random_inputs(graph, batch, 3, limits);
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
