// quant/ptq/bias_correction.h: mean outputs are those of the float weight again.
#include "quant/ptq/bias_correction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <stdexcept>

#include "quant/encode.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::quant {
namespace {

using kernels::Random;
using kernels::random_floats;

TEST(BiasCorrection, KeepsTheMeanOfEachOutput) {
  Random random(21);
  const std::int64_t rows = 6, features = 33, examples = 50;
  const std::vector<float> weight = random_floats(random, rows * features, 1.0f);
  std::vector<float> x = random_floats(random, examples * features, 1.0f);
  for (float& each : x) each = std::fabs(each);  // behind a relu
  std::vector<double> mean(features, 0.0);
  for (std::int64_t i = 0; i < examples * features; ++i) mean[i % features] += double{x[i]} / examples;
  std::vector<float> reals(weight.size());
  decode(encode(weight.data(), {rows, features}, {3, -4, 3, true, Granularity::kPerChannel, 0}),
         reals.data());
  const std::vector<float> added = bias_correction(weight, reals, rows, mean);
  double largest = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    // By the outputs themselves: their mean over the examples, of both weights.
    double before = 0, after = 0;
    for (std::int64_t e = 0; e < examples; ++e)
      for (std::int64_t k = 0; k < features; ++k) {
        before += double{weight[row * features + k]} * double{x[e * features + k]} / examples;
        after += double{reals[row * features + k]} * double{x[e * features + k]} / examples;
      }
    largest = std::max(largest, std::fabs(before - after));
    EXPECT_NEAR(after + double{added[row]}, before, 1e-6);
  }
  EXPECT_GT(largest, 0.05);
}

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(BiasCorrection, RefusesArraysThatDoNotFit) {
  EXPECT_EQ(error_of([] { bias_correction({1, 2}, {1, 2}, 1, {0.5, 0.5}); }), "no error");
  EXPECT_EQ(error_of([] {
              bias_correction({1, 2}, {1, 2}, 1, {0.5});
            }),
            "[bias_correction] weight: expected 1 x 1 values before and after, got 2 and 2");
  EXPECT_EQ(error_of([] { bias_correction({1}, {1}, 1, {std::nan("")}); }),
            "[bias_correction] mean: expected finite values, got nan");
}

}  // namespace
}  // namespace samebits::quant
