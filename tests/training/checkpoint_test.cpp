// training/checkpoint.h: a checkpoint gives everything back bit for bit, and says what does not fit.
#include "training/checkpoint.h"

#include <functional>

#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "tests/training/output_folder.h"
#include "tests/training/training_test.h"
#include "torch_ext/prepare.h"
#include "training/models/models.h"
#include "training/optimizer.h"

namespace samebits::training {
namespace {

using torch::Tensor;

const TrainingPosition kPosition{
    .phase = "qat", .epoch = 3, .step_in_epoch = 17, .loss_sum = 0.1 + 0.2, .samples = 340};

/// A small model in QAT, with an optimizer that has done steps.
struct Training {
  std::shared_ptr<Model> model;
  Prepared prepared;
  std::unique_ptr<torch::optim::Optimizer> optimizer;

  explicit Training(std::uint64_t seed, const OptimizerConfig& config = {},
                    std::vector<std::int64_t> hidden = {5})
      : model((torch::manual_seed(seed), make_model({.name = "mlp", .hidden = hidden}, {2, 3, 4}))),
        prepared(prepare(*model, QConfig(), torch::zeros({1, 1, 2, 3}), 1)),
        optimizer(make_optimizer(config, *model)) {}

  void step() {
    optimizer->zero_grad();
    model->forward(torch::randn({8, 1, 2, 3})).square().mean().backward();
    optimizer->step();
  }
};

class Checkpoint : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Saves a training of two steps.
  Training save(const OptimizerConfig& config = {}) {
    Training training(1, config);
    training.step();
    training.step();
    save_checkpoint(path_, *training.model, *training.optimizer, kPosition);
    return training;
  }

  void change(const std::function<void(io::SafetensorsFile&)>& edit) {
    io::SafetensorsFile file = io::read_safetensors(path_);
    edit(file);
    io::write_safetensors(path_, file);
  }

  std::filesystem::path folder_ = output_folder("checkpoint");
  std::filesystem::path path_ = folder_ / "last.safetensors";
};

void expect_same(const Training& a, const Training& b) {
  const auto compare = [](const auto& left, const auto& right) {
    ASSERT_EQ(left.size(), right.size());
    for (std::size_t i = 0; i < left.size(); ++i)
      EXPECT_TRUE(same_bits(left[i].value(), right[i].value())) << left[i].key();
  };
  compare(a.model->named_parameters(), b.model->named_parameters());
  compare(a.model->named_buffers(), b.model->named_buffers());
}

TEST_F(Checkpoint, GoesOnBitForBit) {
  for (const char* name : {"adamw", "sgd"}) {
    const OptimizerConfig config{.name = name};
    Training resumed(2, config);
    Training trained = save(config);  // seeds the generator again
    load_model(path_, *resumed.model);
    expect_same(trained, resumed);
    EXPECT_EQ(resumed.prepared.state(), QuantizerState::kQuantizing);
    trained.step();  // draws its batch from the generator, which the checkpoint has
    load_optimizer(path_, *resumed.model, *resumed.optimizer);
    resumed.step();
    expect_same(trained, resumed);
    EXPECT_EQ(read_position(path_), kPosition);
  }
}

TEST_F(Checkpoint, HasTheSameBytesForTheSameTraining) {
  save();
  const std::string first = read_file(path_);
  save();
  EXPECT_EQ(read_file(path_), first);
}

TEST_F(Checkpoint, NamesItsTensorsAsTheModelDoes) {
  save();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : io::read_safetensors(path_).tensors) names.push_back(name);
  EXPECT_THAT(names, testing::IsSupersetOf({"generator", "model.fc1.weight", "model.fc2.bias",
                                            "model.fc1.input.scale", "model.fc1.input.state",
                                            "optimizer.fc1.weight.exp_avg", "optimizer.fc2.bias.step"}));
}

TEST_F(Checkpoint, SaysWhichTensorOfTheModelDoesNotFitAndChangesNothing) {
  const struct {
    std::function<void(io::SafetensorsFile&)> edit;
    const char* expected;
  } cases[] = {
      {[](auto& file) { file.tensors.erase("model.fc2.bias"); },
       "model.fc2.bias: expected Float [4], got none"},
      {[](auto& file) { file.tensors["model.fc3.bias"] = file.tensors["model.fc2.bias"]; },
       "model.fc3.bias: expected no tensor of that name, got Float [4]"},
      {[](auto& file) {
         file.tensors["model.fc2.weight"].shape = {5, 4};
       },
       "model.fc2.weight: expected Float [4, 5], got Float [5, 4]"},
      {[](auto& file) { file.tensors["model.fc2.bias"].dtype = "I32"; },
       "model.fc2.bias: expected Float [4], got Int [4]"},
  };
  for (const auto& c : cases) {
    save();
    change(c.edit);
    Training other(2);
    const Training as_before(2);
    EXPECT_EQ(error_of([&] { load_model(path_, *other.model); }),
              "[checkpoint] " + path_.string() + ": " + c.expected + "; is it of another model?");
    expect_same(other, as_before);
  }
}

TEST_F(Checkpoint, NamesATypeThatItDoesNotKnow) {
  save();
  change([](auto& file) { file.tensors["model.fc2.bias"] = {"F16", {2}, {0, 0, 0, 0}}; });
  Training other(2);
  EXPECT_EQ(error_of([&] { load_model(path_, *other.model); }),
            "[checkpoint] " + path_.string() +
                ": model.fc2.bias: expected one of F32, F64, I64, I32, I8, U8, got F16; is it a checkpoint "
                "of samebits "
                "train?");
}

TEST_F(Checkpoint, NamesTheOptimizersTensorThatDoesNotFit) {
  save();
  change([](auto& file) { file.tensors.erase("optimizer.fc1.weight.exp_avg"); });
  Training other(2);
  EXPECT_EQ(
      error_of([&] { load_optimizer(path_, *other.model, *other.optimizer); }),
      "[checkpoint] " + path_.string() +
          ": optimizer.fc1.weight.exp_avg: expected Float [5, 6], got none; is it of another configuration?");
}

TEST_F(Checkpoint, NeedsTheGeneratorsState) {
  const std::function<void(io::SafetensorsFile&)> edits[] = {
      [](auto& file) { file.tensors.erase("generator"); },
      [](auto& file) {
        file.tensors["generator"] = {"U8", {3}, {1, 2, 3}};
      },
  };
  const auto bytes = at::globalContext().defaultGenerator(torch::kCPU).get_state().numel();
  for (const auto& edit : edits) {
    save();
    change(edit);
    Training other(2);
    EXPECT_EQ(error_of([&] { load_optimizer(path_, *other.model, *other.optimizer); }),
              "[checkpoint] " + path_.string() + ": generator: expected " + std::to_string(bytes) +
                  " bytes of torch's generator, got another state or none; was it written by another version "
                  "of torch?");
  }
}

TEST_F(Checkpoint, SaysWhatAPositionHolds) {
  const std::pair<const char*, const char*> cases[] = {
      {nullptr, "none"},
      {"", ""},
      {"17", "17"},
      {R"({"phase": "qat", "epoch": 1})", R"({"phase": "qat", "epoch": 1})"},
      {R"({"phase":"ptq","epoch":1,"step_in_epoch":0,"loss_sum":0.0,"samples":0})",
       R"({"phase":"ptq","epoch":1,"step_in_epoch":0,"loss_sum":0.0,"samples":0})"},
  };
  for (const auto& [text, shown] : cases) {
    save();
    change([&, text = text](auto& file) {
      file.metadata.clear();
      if (text != nullptr) file.metadata["position"] = text;
    });
    EXPECT_EQ(error_of([&] { read_position(path_); }),
              "[checkpoint] " + path_.string() +
                  ": metadata position: expected phase, epoch, step_in_epoch, loss_sum and samples, got " +
                  shown + "; is it a checkpoint of samebits train?");
  }
}

TEST_F(Checkpoint, ThatCannotBeWrittenIsAWriteError) {
  Training training(1);
  EXPECT_THROW(
      save_checkpoint(folder_ / "none" / "a.safetensors", *training.model, *training.optimizer, kPosition),
      io::WriteError);
}

}  // namespace
}  // namespace samebits::training
