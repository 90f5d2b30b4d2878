// training/tasks/objective.h: each loss and metric against its formula, in double.
#include "training/tasks/objective.h"

#include <cmath>

#include "tests/training/training_test.h"
#include "training/tasks/choices.h"

namespace samebits::training {
namespace {

using torch::Tensor;

/// Of one row of logits.
double log_of_softmax(const Tensor& logits, std::int64_t target) {
  double sum = 0;
  for (std::int64_t i = 0; i < logits.size(0); ++i) sum += std::exp(logits[i].item<double>());
  return logits[target].item<double>() - std::log(sum);
}

double mean_cross_entropy(const Tensor& logits, const Tensor& target) {
  double sum = 0;
  for (std::int64_t i = 0; i < target.size(0); ++i)
    sum -= log_of_softmax(logits[i], target[i].item<std::int64_t>());
  return sum / static_cast<double>(target.size(0));
}

struct Result {
  double loss, metric;
};

/// By evaluation, in batches of 3.
Result evaluated(const Objective& objective, const Tensor& output, const Tensor& target) {
  Totals totals;
  for (std::int64_t begin = 0; begin < target.size(0); begin += 3) {
    const std::int64_t count = std::min<std::int64_t>(3, target.size(0) - begin);
    objective.add_up(totals, output.narrow(0, begin, count), target.narrow(0, begin, count));
  }
  EXPECT_EQ(totals.examples, target.size(0));
  return {totals.loss / static_cast<double>(totals.examples), objective.metric_value(totals)};
}

TEST(ObjectiveTest, CrossEntropyAndTheShareOfRightClasses) {
  const Tensor output = torch::randn({10, 7}), target = torch::randint(7, {10}, torch::kLong);
  const Objective objective("cross_entropy", "accuracy");
  const Result result = evaluated(objective, output, target);
  EXPECT_NEAR(result.loss, mean_cross_entropy(output, target), 1e-6);
  EXPECT_NEAR(objective.loss(output, target).item<double>(), result.loss, 1e-6);
  int right = 0, among_five = 0;
  for (std::int64_t i = 0; i < 10; ++i) {
    std::int64_t above = 0;
    for (std::int64_t c = 0; c < 7; ++c)
      above += (output[i][c] > output[i][target[i].item<std::int64_t>()]).item<bool>();
    right += above == 0;
    among_five += above < 5;
  }
  EXPECT_EQ(result.metric, 10.0 * right);
  EXPECT_EQ(evaluated({"cross_entropy", "top5"}, output, target).metric, 10.0 * among_five);
}

TEST(ObjectiveTest, TopFiveOfThreeClassesIsAllOfThem) {
  const Tensor output = torch::randn({4, 3}), target = torch::randint(3, {4}, torch::kLong);
  EXPECT_EQ(evaluated({"cross_entropy", "top5"}, output, target).metric, 100);
}

TEST(ObjectiveTest, MeanSquaredError) {
  const Tensor output = torch::randn({10, 2}), target = torch::randn({10, 2});
  double sum = 0;
  for (std::int64_t i = 0; i < 20; ++i)
    sum += std::pow(output.flatten()[i].item<double>() - target.flatten()[i].item<double>(), 2);
  const Objective objective("mse", "mse");
  const Result result = evaluated(objective, output, target);
  EXPECT_NEAR(result.loss, sum / 20, 1e-6);
  EXPECT_EQ(result.metric, result.loss);
  EXPECT_NEAR(objective.loss(output, target).item<double>(), sum / 20, 1e-6);
}

TEST(ObjectiveTest, BinaryCrossEntropyOfLogitsAndTheShareOfRightDecisions) {
  const Tensor output = torch::tensor({2.0f, -1.0f, 0.5f, -3.0f}).reshape({2, 2});
  const Tensor target = torch::tensor({1.0f, 1.0f, 0.0f, 0.0f}).reshape({2, 2});
  const auto term = [](double logit, double y) {
    const double p = 1 / (1 + std::exp(-logit));
    return -(y * std::log(p) + (1 - y) * std::log(1 - p));
  };
  const double expected = (term(2, 1) + term(-1, 1) + term(0.5, 0) + term(-3, 0)) / 4;
  const Objective objective("bce", "accuracy");
  const Result result = evaluated(objective, output, target);
  EXPECT_NEAR(result.loss, expected, 1e-6);
  EXPECT_NEAR(objective.loss(output, target).item<double>(), expected, 1e-6);
  EXPECT_EQ(result.metric, 50);
}

TEST(ObjectiveTest, NextTokenInBitsAndAsPerplexity) {
  const Tensor output = torch::randn({5, 4, 6}), target = torch::randint(6, {5, 4}, torch::kLong);
  const double expected = mean_cross_entropy(output.flatten(0, 1), target.flatten());
  const Objective objective("next_token", "bits_per_byte");
  const Result result = evaluated(objective, output, target);
  EXPECT_NEAR(result.loss, expected, 1e-6);
  EXPECT_NEAR(objective.loss(output, target).item<double>(), expected, 1e-6);
  EXPECT_NEAR(result.metric, expected / std::log(2), 1e-6);
  EXPECT_NEAR(evaluated({"next_token", "perplexity"}, output, target).metric, std::exp(expected), 1e-5);
  const double right = (output.argmax(2) == target).to(torch::kDouble).mean().item<double>();
  EXPECT_NEAR(evaluated({"next_token", "accuracy"}, output, target).metric, 100 * right, 1e-9);
}

TEST(ObjectiveTest, EveryMetricOfEveryLossHasANameThatAReportCanShow) {
  for (const std::string& loss : loss_names())
    for (const std::string& metric : metrics_of(loss))
      EXPECT_EQ(Objective(loss, metric).metric().name, metric);
}

}  // namespace
}  // namespace samebits::training
