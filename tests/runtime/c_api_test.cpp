// include/samebits/runtime.h, through the shared library that ships: the interpreter's bits, and for
// every wrong call a status and a text.
#include <gmock/gmock.h>

#include <thread>

#include "graph/package.h"
#include "samebits/runtime.h"
#include "tests/io/test_files.h"
#include "tests/runtime/arrays.h"

namespace samebits::runtime {
namespace {

using graph::Graph;

samebits_array array_of(const Array& x) {
  return {x.values.data(), x.shape.data(), x.shape.size()};
}
std::vector<samebits_array> arrays_of(const std::vector<Array>& inputs) {
  std::vector<samebits_array> arrays;
  for (const Array& x : inputs) arrays.push_back(array_of(x));
  return arrays;
}
Array copy_of(const samebits_array& y) {
  Array copy{{y.sizes, y.sizes + y.rank}, {}};
  std::int64_t count = 1;
  for (const std::int64_t size : copy.shape) count *= size;
  copy.values.assign(y.values, y.values + count);
  return copy;
}

class CApi : public testing::Test {
 protected:
  void SetUp() override {
    graph::save_package(graph_, folder_ / "net.samebits");
    ASSERT_EQ(samebits_model_load((folder_ / "net.samebits").c_str(), &model_), SAMEBITS_OK)
        << samebits_last_error();
    ASSERT_EQ(samebits_runner_create(model_, 2, &runner_), SAMEBITS_OK) << samebits_last_error();
  }
  void TearDown() override {
    samebits_runner_free(runner_);
    samebits_model_free(model_);
  }
  std::vector<Array> run(samebits_runner* runner, const std::vector<Array>& inputs) const {
    const std::vector<samebits_array> arrays = arrays_of(inputs);
    EXPECT_EQ(samebits_runner_run(runner, arrays.data(), arrays.size()), SAMEBITS_OK)
        << samebits_last_error();
    std::vector<Array> outputs;
    for (std::size_t i = 0; i < samebits_model_outputs(model_); ++i) {
      samebits_array y;
      EXPECT_EQ(samebits_runner_output(runner, i, &y), SAMEBITS_OK);
      outputs.push_back(copy_of(y));
    }
    return outputs;
  }
  void expect_right(samebits_runner* runner, std::int64_t batch, unsigned seed) const {
    const std::vector<Array> inputs = random_inputs(graph_, batch, seed), got = run(runner, inputs);
    const auto expected = oracle::run(graph_, tensors_of(inputs));
    ASSERT_EQ(got.size(), graph_.outputs.size());
    for (std::size_t i = 0; i < got.size(); ++i) expect_same_bits(got[i], expected.at(graph_.outputs[i]));
  }

  const TestFolder folder_;
  const Graph graph_ = graph::graph_of_everything();
  samebits_model* model_ = nullptr;
  samebits_runner* runner_ = nullptr;
};

TEST_F(CApi, HasTheOraclesBitsAtAnyBatch) {
  for (const std::int64_t batch : {1, 5, 0, 2}) expect_right(runner_, batch, 3);
}

TEST_F(CApi, SaysWhatTheModelTakesAndGives) {
  EXPECT_THAT(samebits_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  ASSERT_EQ(samebits_model_inputs(model_), 2u);
  ASSERT_EQ(samebits_model_outputs(model_), 2u);
  EXPECT_STREQ(samebits_model_input_name(model_, 0), "x");
  EXPECT_STREQ(samebits_model_input_name(model_, 1), "z");
  EXPECT_EQ(samebits_model_input_name(model_, 2), nullptr);
  EXPECT_STREQ(samebits_model_output_name(model_, 1), "add.y");
  EXPECT_EQ(samebits_model_output_name(model_, 2), nullptr);
  std::int64_t sizes[4] = {7, 7, 7, 7};
  std::size_t rank = 0;
  ASSERT_EQ(samebits_model_input_sizes(model_, 0, sizes, 3, &rank), SAMEBITS_OK);
  EXPECT_EQ(rank, 4u);
  EXPECT_THAT(sizes, testing::ElementsAre(-1, 3, 8, 7));  // three were asked for
}

TEST_F(CApi, RunnersOfOneModelRunAtTheSameTimeInAnyThreads) {
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([this, i] {
      samebits_runner* runner = nullptr;
      ASSERT_EQ(samebits_runner_create(model_, 1 + static_cast<int>(i % 2), &runner), SAMEBITS_OK);
      for (unsigned round = 0; round < 5; ++round) expect_right(runner, 1 + i, 10 * i + round);
      samebits_runner_free(runner);
    });
}

TEST_F(CApi, AModelMayBeFreedBeforeItsRunners) {
  const std::vector<Array> inputs = random_inputs(graph_, 1, 3), expected = run(runner_, inputs);
  samebits_model_free(model_);
  model_ = nullptr;
  const std::vector<samebits_array> arrays = arrays_of(inputs);
  ASSERT_EQ(samebits_runner_run(runner_, arrays.data(), arrays.size()), SAMEBITS_OK);
  samebits_array y;
  ASSERT_EQ(samebits_runner_output(runner_, 0, &y), SAMEBITS_OK);
  expect_same_bits(copy_of(y), expected[0]);
}

TEST_F(CApi, EveryWrongCallIsAStatusAndAText) {
  const std::vector<Array> sound = random_inputs(graph_, 2, 3);
  std::vector<samebits_array> arrays = arrays_of(sound);
  samebits_model* model = model_;
  samebits_runner* runner = runner_;
  samebits_array y;
  std::size_t rank;
  const std::int64_t kHuge[] = {std::int64_t{1} << 62, 3, 8, 6}, kNegative[] = {-1, 3, 8, 6},
                     kOther[] = {2, 3, 8, 7};
  const auto run_with = [&](const samebits_array& x) {
    const samebits_array changed[] = {x, arrays[1]};
    return samebits_runner_run(runner_, changed, 2);
  };
  const auto expect = [](samebits_status got, samebits_status status, const std::string& text) {
    EXPECT_EQ(got, status) << text;
    EXPECT_EQ(samebits_last_error(), text);
  };
  constexpr auto kBad = SAMEBITS_BAD_ARGUMENT;
  expect(samebits_runner_output(runner_, 0, &y), kBad,
         "[runtime] runner: expected a run before its outputs are asked for, got none");
  expect(samebits_model_load(nullptr, &model), kBad, "[runtime] folder: expected a path, got null");
  EXPECT_EQ(model, nullptr);
  expect(samebits_model_load("no/such", nullptr), kBad,
         "[runtime] model: expected where to put it, got null");
  expect(samebits_model_load("no/such.samebits", &model), SAMEBITS_BAD_FILE,
         "[package] no/such.samebits: No such file or directory");
  expect(samebits_runner_create(nullptr, 1, &runner), kBad, "[runtime] model: expected one, got null");
  EXPECT_EQ(runner, nullptr);
  expect(samebits_runner_create(model_, 0, &runner), kBad, "[runtime] threads: expected 1 to 1024, got 0");
  expect(samebits_runner_create(model_, 1025, &runner), kBad,
         "[runtime] threads: expected 1 to 1024, got 1025");
  expect(samebits_model_input_sizes(model_, 2, nullptr, 0, &rank), kBad,
         "[runtime] index: expected one of 2 inputs, got 2");
  expect(samebits_model_input_sizes(model_, 0, nullptr, 1, &rank), kBad,
         "[runtime] sizes: expected room for 1 sizes, got null");
  expect(samebits_runner_run(nullptr, arrays.data(), 2), kBad, "[runtime] runner: expected one, got null");
  expect(samebits_runner_run(runner_, nullptr, 2), kBad, "[runtime] inputs: expected 2 arrays, got null");
  expect(samebits_runner_run(runner_, arrays.data(), 1), kBad, "[runtime] count: expected 2 inputs, got 1");
  expect(run_with({arrays[0].values, nullptr, 4}), kBad,
         "[runtime] inputs[0].sizes: expected at most 64 sizes, got null");
  expect(run_with({nullptr, arrays[0].sizes, 4}), kBad,
         "[runtime] inputs[0].values: expected 288 values, got null");
  expect(run_with({arrays[0].values, kHuge, 4}), kBad,
         "[runtime] inputs[0].sizes: expected sizes >= 0 that memory can hold, got [4611686018427387904, 3, "
         "8, 6]");
  expect(run_with({arrays[0].values, kNegative, 4}), kBad,
         "[runtime] inputs[0].sizes: expected sizes >= 0 that memory can hold, got [-1, 3, 8, 6]");
  std::vector<float> wide(2 * 3 * 8 * 7);
  expect(run_with({wide.data(), kOther, 4}), SAMEBITS_BAD_INPUT,
         "[runtime] x: expected shape [batch, 3, 8, 6], got [2, 3, 8, 7]");
  Array nan = sound[0];
  nan.values[5] = std::nanf("");
  expect(run_with(array_of(nan)), SAMEBITS_BAD_INPUT,
         "[runtime] conv1: input holds NaN; look for it in the model's input, then with on_node");
  expect(samebits_runner_output(runner_, 0, &y), kBad,
         "[runtime] runner: expected a run before its outputs are asked for, got none");
  ASSERT_EQ(samebits_runner_run(runner_, arrays.data(), 2), SAMEBITS_OK);
  EXPECT_STREQ(samebits_last_error(), "");
  expect(samebits_runner_output(runner_, 2, &y), kBad, "[runtime] index: expected one of 2 outputs, got 2");
  expect(samebits_runner_output(runner_, 0, nullptr), kBad,
         "[runtime] output: expected where to put it, got null");
}

TEST_F(CApi, TheTextOfAnErrorIsTheThreadsOwn) {
  EXPECT_NE(samebits_model_load(nullptr, nullptr), SAMEBITS_OK);
  std::jthread([] { EXPECT_STREQ(samebits_last_error(), ""); }).join();
  EXPECT_STREQ(samebits_last_error(), "[runtime] folder: expected a path, got null");
}

TEST(CApiOfIntegers, IsRefusedBeforeARun) {
  const TestFolder folder;
  graph::Graph graph =
      graph::graph_of({4}, {graph::node_of("table", graph::Embedding{{{3, 2}, {1, 2, 3, 4, 5, 6}}}, {"x"})});
  graph.inputs[0].type.dtype = graph::Dtype::kInt64;
  graph::save_package(graph, folder / "net.samebits");
  samebits_model* model = nullptr;
  ASSERT_EQ(samebits_model_load((folder / "net.samebits").c_str(), &model), SAMEBITS_OK);
  samebits_runner* runner = nullptr;
  EXPECT_EQ(samebits_runner_create(model, 1, &runner), SAMEBITS_BAD_FILE);
  EXPECT_STREQ(samebits_last_error(),
               "[runtime] x: expected float32, got int64; use the C++ interface or samebits-run");
  EXPECT_EQ(runner, nullptr);
  samebits_model_free(model);
}

TEST(CApiOfNothing, DoesNothing) {
  samebits_model_free(nullptr);
  samebits_runner_free(nullptr);
  EXPECT_EQ(samebits_model_inputs(nullptr), 0u);
  EXPECT_EQ(samebits_model_outputs(nullptr), 0u);
  EXPECT_EQ(samebits_model_input_name(nullptr, 0), nullptr);
  EXPECT_EQ(samebits_model_output_name(nullptr, 0), nullptr);
}

}  // namespace
}  // namespace samebits::runtime
