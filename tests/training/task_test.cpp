// A task of another kind than images goes through training, evaluation, export, verify and report as it is:
// nothing but the Task knows what is learned.
#include "training/tasks/task.h"

#include <nlohmann/json.hpp>

#include "tests/training/output_folder.h"
#include "tests/training/training_test.h"
#include "training/loop/evaluate.h"
#include "training/loop/trainer.h"
#include "training/models/models.h"
#include "training/ship/run_exports.h"
#include "training/ship/run_report.h"

namespace samebits::training {
namespace {

using torch::Tensor;

/// y = x @ w of six features and two outputs.
class LinearExamples : public Examples {
 public:
  LinearExamples(std::int64_t n, std::uint64_t seed) {
    const at::Generator random = generator_at({seed, 0, 0}, DrawPurpose::kOrder);
    x_ = torch::randn({n, 6}, random, torch::kFloat);
    y_ = torch::matmul(x_, torch::linspace(-1, 1, 12).reshape({6, 2}));
  }
  std::int64_t size() const override { return x_.size(0); }
  Batch batch(const Tensor& indices) const override {
    return {x_.index_select(0, indices), y_.index_select(0, indices)};
  }

 private:
  Tensor x_, y_;
};

class Regression : public Task {
 public:
  const Examples& train() const override { return train_; }
  const Examples& test() const override { return test_; }
  void augment(Batch&, const StepPlace&) const override {}
  TrainableModel make_model() const override {
    return make_mlp({.name = "mlp", .channels = {}, .hidden = {16}}, {{6}, 2});
  }
  Tensor loss(const Tensor& output, const Tensor& target) const override {
    return torch::mse_loss(output, target);
  }
  void add_up(Totals& totals, const Tensor& output, const Tensor& target) const override {
    totals.loss += (output - target).square().mean(1).sum().item<double>();
    totals.score = totals.loss;
    totals.examples += target.size(0);
  }
  double metric_value(const Totals& totals) const override {
    return totals.score / static_cast<double>(totals.examples);
  }
  Metric metric() const override { return {.name = "mse", .unit = "", .decimals = 4}; }

 private:
  LinearExamples train_{320, 1}, test_{50, 2};
};

class TaskTest : public testing::Test {
 protected:
  TaskTest() {
    config_.name = "regression";
    config_.output = folder_;
    config_.threads = 1;
    config_.data.batch_size = 32;
    config_.train = {.epochs = 10, .optimizer = {.lr = 1e-2}, .schedule = {}};
    config_.qat.epochs = 4;
    config_.qat.observe_steps = 5;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_ = output_folder("task");
  Config config_;
  Regression task_;
};

TEST_F(TaskTest, ARegressionIsTrainedExportedVerifiedAndReported) {
  set_up_process(config_);
  RunDirectory run = RunDirectory::create(config_);
  Trainer trainer(config_, run, task_, /*resume=*/false);
  ASSERT_TRUE(trainer.run());
  export_run(run, trainer.result(), task_, {"package"});
  const auto verification = verify_run(run, trainer.result(), task_);
  ASSERT_EQ(verification.size(), 1u);
  EXPECT_EQ(verification[0].differing, 0);
  EXPECT_EQ(verification[0].logits, 100);
  write_report(run, config_, trainer.result(), task_, verification);

  const auto status = run.read_json("status.json");
  EXPECT_LT(status.at("mse").at("qat").get<double>(), 0.1);  // of a variance of 2.4
  EXPECT_EQ(status.at("mse").at("exported"), status.at("mse").at("qat"));
  for (const auto& record : run.metrics()) EXPECT_EQ(record.contains("mse"), record.at("kind") != "step");
  const std::string page = read_file(run.path() / "report.html");
  EXPECT_THAT(page, testing::HasSubstr("Test mse"));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("accuracy<")));
}

TEST_F(TaskTest, TheExampleHasTheShapeOfOneInput) {
  EXPECT_TRUE(same_bits(task_.example(), torch::zeros({1, 6})));
}

TEST_F(TaskTest, TestInputsCoverTheTestSetInOrder) {
  const auto batches = test_inputs(task_, 20);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[2].size(0), 10);
  EXPECT_TRUE(same_bits(torch::cat(batches), task_.test().range(0, 50).x));
}

TEST_F(TaskTest, EvaluationDoesNotDependOnTheBatches) {
  set_up_process(config_);
  const auto model = task_.make_model();
  const Evaluation one = evaluate(model, task_, 1), all = evaluate(model, task_, 1000);
  EXPECT_NEAR(one.loss, all.loss, 1e-6);
  EXPECT_NEAR(one.score, all.score, 1e-6);
  EXPECT_TRUE(model.module->is_training());
}

}  // namespace
}  // namespace samebits::training
