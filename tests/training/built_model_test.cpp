// training/loop/built_model.h: a model of torch's own layers trains on integers as its graph, which has the
// model's parameters, goes on from any step, and ships; one that cannot ship is refused before it is trained.
#include "training/loop/built_model.h"

#include <functional>

#include "io/safetensors.h"
#include "tests/training/output_folder.h"
#include "tests/training/training_test.h"
#include "training/loop/checkpoint.h"
#include "training/loop/evaluate.h"
#include "training/loop/initial_weights.h"
#include "training/loop/optimizer.h"
#include "training/loop/trainer.h"
#include "training/models/models.h"
#include "training/ship/run_exports.h"

namespace samebits::training {
namespace {

using torch::Tensor;

/// Two kinds of noise.
class NoisyExamples : public Examples {
 public:
  NoisyExamples(std::int64_t n, std::vector<std::int64_t> shape, std::uint64_t seed) {
    shape.insert(shape.begin(), n);
    const at::Generator random = generator_at({seed, 0, 0}, DrawPurpose::kOrder);
    y_ = torch::arange(n, torch::kLong).remainder(2);
    std::vector<std::int64_t> column(shape.size(), 1);
    column[0] = n;
    x_ = torch::randn(shape, random, torch::kFloat) + y_.to(torch::kFloat).view(column);
  }
  std::int64_t size() const override { return x_.size(0); }
  Batch batch(const Tensor& indices) const override {
    return {x_.index_select(0, indices), y_.index_select(0, indices)};
  }

 private:
  Tensor x_, y_;
};

using Make = std::function<TrainableModel()>;

class TwoClasses : public Task {
 public:
  TwoClasses(std::vector<std::int64_t> shape, Make make)
      : make_(std::move(make)), train_(64, shape, 1), test_(21, shape, 2) {}
  const Examples& train() const override { return train_; }
  const Examples& test() const override { return test_; }
  void augment(Batch&, const StepPlace&) const override {}
  TrainableModel make_model() const override { return make_(); }
  Tensor loss(const Tensor& output, const Tensor& target) const override {
    return objective_.loss(output, target);
  }
  void add_up(Totals& totals, const Tensor& output, const Tensor& target) const override {
    objective_.add_up(totals, output, target);
  }
  double metric_value(const Totals& totals) const override { return objective_.metric_value(totals); }
  Metric metric() const override { return objective_.metric(); }

 private:
  Make make_;
  NoisyExamples train_, test_;
  Objective objective_{"cross_entropy", "accuracy"};
};

/// A convolution and a linear layer of torch, in typed members.
struct Net : torch::nn::Module {
  torch::nn::Conv2d conv{torch::nn::Conv2dOptions(1, 4, 3).padding(1)};
  torch::nn::Linear fc{64, 2};
  Net() {
    register_module("conv", conv);
    register_module("fc", fc);
  }
  Tensor forward(const Tensor& x) { return fc(torch::max_pool2d(torch::relu(conv(x)), 2).flatten(1)); }
};

/// Operators that no graph has.
struct Strange : torch::nn::Module {
  torch::nn::Linear fc{6, 2};
  Strange() { register_module("fc", fc); }
  Tensor forward(const Tensor& x) { return torch::lgamma(torch::erfinv(torch::tanh(fc(x)))); }
};

TrainableModel make_net() {
  return trainable_model(std::make_shared<Net>());
}

std::vector<std::string> names_in(const std::filesystem::path& checkpoint) {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : io::read_safetensors(checkpoint).tensors)
    if (name.starts_with("model.")) names.push_back(name);
  return names;
}

class BuiltModelTest : public testing::Test {
 protected:
  BuiltModelTest() {
    config_.name = "net";
    config_.output = folder_;
    config_.threads = 1;
    config_.data.batch_size = 16;
    config_.model.library = "net.so";  // another model than the built-in ones
    config_.train = {.epochs = 8, .optimizer = {.lr = 1e-2}, .schedule = {}};
    config_.qat.epochs = 3;
    config_.qat.optimizer.lr = 2e-3;
    config_.qat.observe_steps = 3;
    set_up_process(config_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_ = output_folder("built_model");
  Config config_;
  TwoClasses task_{{1, 8, 8}, make_net};
};

TEST_F(BuiltModelTest, AModelOfTorchsOwnLayersIsTrainedOnIntegersExportedAndVerified) {
  check_trainable(config_, task_);
  RunDirectory run = RunDirectory::create(config_);
  Trainer trainer(config_, run, task_, /*resume=*/false);
  ASSERT_TRUE(trainer.run());
  BuiltModel& trained = trainer.result();
  ASSERT_TRUE(trained.qat.has_value());
  EXPECT_EQ(trained.qat->state(), QuantizerState::kFrozen);
  EXPECT_GT(evaluate(trained.model, task_, 8).score, 80);
  export_run(run, trained, task_, {"package"});
  const auto reports = verify_run(run, trained, task_);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].text(), "model.samebits: 0 of 42 logits differ (21 images)");
  EXPECT_EQ(evaluate_package(run.package(), task_, 8).score, evaluate(trained.model, task_, 8).score);
  // As a later command finds it.
  BuiltModel loaded = load_trained(run, config_, task_);
  EXPECT_TRUE(same_bits(loaded.model.forward(torch::ones({2, 1, 8, 8})),
                        trained.model.forward(torch::ones({2, 1, 8, 8}))));
}

TEST_F(BuiltModelTest, CheckpointsHaveTheModelsNamesAndThoseOfQuantizersInQat) {
  RunDirectory run = RunDirectory::create(config_);
  Trainer trainer(config_, run, task_, /*resume=*/false);
  ASSERT_TRUE(trainer.run());
  const std::vector<std::string> own = {"model.conv.bias", "model.conv.weight", "model.fc.bias",
                                        "model.fc.weight"};
  EXPECT_THAT(names_in(run.checkpoint("fp32")), testing::UnorderedElementsAreArray(own));
  std::vector<std::string> all = own;
  for (const char* layer : {"conv", "fc"})
    for (const char* buffer : {"max", "min", "observed", "scale", "state", "zero_point"})
      all.push_back(std::string("model.") + layer + ".input." + buffer);
  EXPECT_THAT(names_in(run.checkpoint("final")), testing::UnorderedElementsAreArray(all));
  // Both are weights to begin another run with.
  for (const char* name : {"fp32", "final"}) {
    const TrainableModel other = make_net();
    load_initial_weights(*other.module, run.checkpoint(name));
    const io::SafetensorsFile file = io::read_safetensors(run.checkpoint(name));
    const auto* weight = reinterpret_cast<const float*>(file.tensors.at("model.fc.weight").bytes.data());
    EXPECT_EQ(other.module->named_parameters()["fc.weight"][1][3].item<float>(), weight[64 + 3]) << name;
  }
}

/// A model in QAT, and what makes its steps.
struct QatSteps {
  BuiltModel built;
  std::unique_ptr<torch::optim::Optimizer> optimizer;

  QatSteps(const Config& config, const Task& task)
      : built(build_model(config, task, /*is_qat=*/true)),
        optimizer(make_optimizer(config.qat.optimizer, *built.model.module)) {}

  void run(const Task& task, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const Batch batch = task.train().range(8 * i, 8 * i + 8);
      optimizer->zero_grad();
      task.loss(built.model.forward(batch.x), batch.target).backward();
      optimizer->step();
    }
  }
};

TEST_F(BuiltModelTest, AGraphGoesOnFromAnyStepBitForBit) {
  constexpr std::int64_t kSteps = 7;
  torch::manual_seed(config_.seed);
  QatSteps whole(config_, task_);
  whole.run(task_, 0, kSteps);
  EXPECT_EQ(whole.built.qat->state(), QuantizerState::kQuantizing);
  for (const std::int64_t step : {1, 3, 5}) {  // observing, at its end, quantizing
    torch::manual_seed(config_.seed);
    QatSteps begun(config_, task_);
    begun.run(task_, 0, step);
    const std::filesystem::path path = folder_ / "last.safetensors";
    save_checkpoint(path, *begun.built.model.module, *begun.optimizer,
                    {.phase = "qat", .step_in_epoch = step});
    torch::manual_seed(99);  // other weights, which the checkpoint replaces
    QatSteps resumed(config_, task_);
    const Checkpoint checkpoint = Checkpoint::read(path);
    checkpoint.load_model(*resumed.built.model.module);
    checkpoint.load_optimizer(*resumed.built.model.module, *resumed.optimizer);
    resumed.run(task_, step, kSteps);
    for (const auto& each : whole.built.model.module->named_parameters())
      EXPECT_TRUE(same_bits(each.value(), resumed.built.model.module->named_parameters()[each.key()]))
          << each.key() << " after step " << step;
    for (const auto& each : whole.built.model.module->named_buffers())
      EXPECT_TRUE(same_bits(each.value(), resumed.built.model.module->named_buffers()[each.key()]))
          << each.key() << " after step " << step;
  }
}

TEST_F(BuiltModelTest, AModelThatCannotShipIsRefusedBeforeItIsTrained) {
  const TwoClasses strange({6}, [] { return trainable_model(std::make_shared<Strange>()); });
  const std::string error = error_of([&] { check_trainable(config_, strange); });
  EXPECT_THAT(error, testing::StartsWith("[prepare] model: expected operators that ship, got "));
  EXPECT_THAT(error, testing::HasSubstr("\n  aten::erfinv"));
  EXPECT_THAT(error, testing::HasSubstr("\n  aten::lgamma"));
  config_.qat.epochs = 0;
  EXPECT_EQ(error_of([&] { check_trainable(config_, strange); }), "no error");
}

TEST_F(BuiltModelTest, KeepsLayersOfItsOwnInPlace) {
  config_.model = {.name = "mlp", .hidden = {4}};
  const TwoClasses task({6}, [] { return make_model({.name = "mlp", .hidden = {4}}, {{6}, 2}); });
  BuiltModel built = build_model(config_, task, /*is_qat=*/false);
  const auto module = built.model.module;
  start_qat(built, config_, task);
  EXPECT_EQ(built.model.module, module);
  EXPECT_EQ(as_graph(built.model), nullptr);
}

}  // namespace
}  // namespace samebits::training
