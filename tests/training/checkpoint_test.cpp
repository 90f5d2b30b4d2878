// training/loop/checkpoint.h: a checkpoint gives everything back bit for bit, and says what does not fit.
#include "training/loop/checkpoint.h"

#include <cmath>
#include <functional>

#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "tests/training/output_folder.h"
#include "tests/training/training_test.h"
#include "torch_ext/prepare.h"
#include "training/loop/optimizer.h"
#include "training/models/models.h"

namespace samebits::training {
namespace {

using torch::Tensor;

const TrainingPosition kPosition{
    .phase = "qat", .epoch = 3, .step_in_epoch = 17, .loss_sum = 0.1 + 0.2, .samples = 340};

/// A small model in QAT, with an optimizer that has done steps.
struct Training {
  TrainableModel model;
  Prepared prepared;
  std::unique_ptr<torch::optim::Optimizer> optimizer;

  explicit Training(std::uint64_t seed, const OptimizerConfig& config = {}, const QConfig& scheme = {})
      : model((torch::manual_seed(seed), make_model({.name = "mlp", .hidden = {5}}, {{1, 2, 3}, 4}))),
        prepared(prepare(ref_of(model), scheme, torch::zeros({1, 1, 2, 3}), 1)),
        optimizer(make_optimizer(config, *model.module)) {}

  void step() {
    optimizer->zero_grad();
    model.forward(torch::randn({8, 1, 2, 3})).square().mean().backward();
    optimizer->step();
  }
};

class CheckpointTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Saves a training of two steps.
  Training save(const OptimizerConfig& config = {}) {
    Training training(1, config);
    training.step();
    training.step();
    save_checkpoint(path_, *training.model.module, *training.optimizer, kPosition);
    return training;
  }

  void change(const std::function<void(io::SafetensorsFile&)>& edit) {
    io::SafetensorsFile file = io::read_safetensors(path_);
    edit(file);
    if (!file.metadata.empty()) seal_checkpoint(file);
    io::write_safetensors(path_, file);
  }
  /// What reading the checkpoint into another training says.
  std::string error_of_loading(const Training& other) {
    return error_of([&] {
      const Checkpoint checkpoint = Checkpoint::read(path_);
      checkpoint.load_model(*other.model.module);
      checkpoint.load_optimizer(*other.model.module, *other.optimizer);
    });
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
  compare(a.model.module->named_parameters(), b.model.module->named_parameters());
  compare(a.model.module->named_buffers(), b.model.module->named_buffers());
}

TEST_F(CheckpointTest, GoesOnBitForBit) {
  for (const char* name : {"adamw", "sgd"}) {
    const OptimizerConfig config{.name = name};
    Training resumed(2, config);
    Training trained = save(config);  // seeds the generator again
    Checkpoint::read(path_).load_model(*resumed.model.module);
    expect_same(trained, resumed);
    EXPECT_EQ(resumed.prepared.state(), QuantizerState::kQuantizing);
    trained.step();  // draws its batch from the generator, which the checkpoint has
    Checkpoint::read(path_).load_optimizer(*resumed.model.module, *resumed.optimizer);
    resumed.step();
    expect_same(trained, resumed);
    EXPECT_EQ(Checkpoint::read(path_).position(), kPosition);
  }
}

TEST_F(CheckpointTest, HasTheSameBytesForTheSameTraining) {
  save();
  const std::string first = read_file(path_);
  save();
  EXPECT_EQ(read_file(path_), first);
}

TEST_F(CheckpointTest, NamesItsTensorsAsTheModelDoes) {
  save();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : io::read_safetensors(path_).tensors) names.push_back(name);
  EXPECT_THAT(names, testing::IsSupersetOf({"generator", "model.fc1.weight", "model.fc2.bias",
                                            "model.fc1.input.scale", "model.fc1.input.state",
                                            "optimizer.fc1.weight.exp_avg", "optimizer.fc2.bias.step"}));
}

TEST_F(CheckpointTest, SaysWhichTensorOfTheModelDoesNotFitAndChangesNothing) {
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
    EXPECT_EQ(error_of_loading(other),
              "[checkpoint] " + path_.string() + ": " + c.expected + "; is it of another model?");
    expect_same(other, as_before);
  }
}

TEST_F(CheckpointTest, NamesATypeThatItDoesNotKnow) {
  save();
  change([](auto& file) { file.tensors["model.fc2.bias"] = {"F16", {2}, {0, 0, 0, 0}}; });
  Training other(2);
  EXPECT_EQ(
      error_of_loading(other),
      "[checkpoint] " + path_.string() +
          ": model.fc2.bias: expected one of F32, F64, I64, I32, I8, U8, BOOL, got F16; is it a checkpoint "
          "of samebits "
          "train?");
}

TEST_F(CheckpointTest, NamesTheOptimizersTensorThatDoesNotFit) {
  save();
  change([](auto& file) { file.tensors.erase("optimizer.fc1.weight.exp_avg"); });
  Training other(2);
  EXPECT_EQ(
      error_of_loading(other),
      "[checkpoint] " + path_.string() +
          ": optimizer.fc1.weight.exp_avg: expected Float [5, 6], got none; is it of another configuration?");
}

TEST_F(CheckpointTest, NeedsTheGeneratorsState) {
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
    EXPECT_EQ(error_of_loading(other),
              "[checkpoint] " + path_.string() + ": generator: expected " + std::to_string(bytes) +
                  " bytes of torch's generator, got another state or none; was it written by another version "
                  "of torch?");
  }
}

TEST_F(CheckpointTest, SaysWhatAPositionHolds) {
  const std::pair<const char*, const char*> cases[] = {
      {nullptr, "none"},
      {"", ""},
      {"17", "17"},
      {R"({"phase": "qat", "epoch": 1})", R"({"phase": "qat", "epoch": 1})"},
      {R"({"phase":"ptq","epoch":1,"step_in_epoch":0,"loss_sum":0.0,"samples":0})",
       R"({"phase":"ptq","epoch":1,"step_in_epoch":0,"loss_sum":0.0,"samples":0})"},
      {R"({"phase":"qat","epoch":-1,"step_in_epoch":0,"loss_sum":0.0,"samples":0})",
       R"({"phase":"qat","epoch":-1,"step_in_epoch":0,"loss_sum":0.0,"samples":0})"},
      {R"({"phase":"qat","epoch":1,"step_in_epoch":1.9,"loss_sum":0.0,"samples":0})",
       R"({"phase":"qat","epoch":1,"step_in_epoch":1.9,"loss_sum":0.0,"samples":0})"},
      {R"({"phase":"qat","epoch":1,"step_in_epoch":0,"loss_sum":0.0,"samples":1e308})",
       R"({"phase":"qat","epoch":1,"step_in_epoch":0,"loss_sum":0.0,"samples":1e308})"},
      {R"({"phase":"qat","epoch":1,"step_in_epoch":0,"loss_sum":null,"samples":0})",
       R"({"phase":"qat","epoch":1,"step_in_epoch":0,"loss_sum":null,"samples":0})"},
  };
  for (const auto& [text, shown] : cases) {
    save();
    change([&, text = text](auto& file) {
      file.metadata.clear();
      if (text != nullptr) file.metadata["position"] = text;
    });
    EXPECT_EQ(error_of([&] { Checkpoint::read(path_); }),
              "[checkpoint] " + path_.string() +
                  ": metadata position: expected phase, epoch, step_in_epoch, loss_sum and samples, got " +
                  shown + "; is it a checkpoint of samebits train?");
  }
}

// The damage that no reader would notice: of a payload, of the header, of the metadata.
TEST_F(CheckpointTest, NoticesEveryFlippedBit) {
  save();
  const std::string good = read_file(path_);
  std::vector<std::size_t> places = {0, 1, 7};
  for (std::size_t i = 8; i < good.size(); i += good.size() / 400) places.push_back(i);
  const Training other(2), as_before(2);
  for (const std::size_t i : places)
    for (const int bit : {0, 3, 6}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 1 << bit);
      std::ofstream(path_, std::ios::binary) << bad;
      EXPECT_NE(error_of_loading(other), "no error") << "byte " << i << ", bit " << bit;
    }
  expect_same(other, as_before);
}

TEST_F(CheckpointTest, NamesTheChecksumsOfADamagedFile) {
  save();
  io::SafetensorsFile file = io::read_safetensors(path_);
  const std::string expected = file.metadata.at("crc32c");
  file.tensors["model.fc2.bias"].bytes[0] ^= 1;
  io::write_safetensors(path_, file);
  seal_checkpoint(file);
  EXPECT_EQ(error_of([&] { Checkpoint::read(path_); }),
            "[checkpoint] " + path_.string() + ": expected contents of crc32c " + expected + ", got " +
                file.metadata.at("crc32c") + "; the file is damaged, take another checkpoint");
}

TEST_F(CheckpointTest, ReadsOneFromBeforeThereWereChecksums) {
  const Training trained = save();
  io::SafetensorsFile file = io::read_safetensors(path_);
  file.metadata = {{"position", file.metadata.at("position")}};
  io::write_safetensors(path_, file);
  const Training other(2);
  EXPECT_EQ(error_of_loading(other), "no error");
  expect_same(trained, other);
}

QConfig scheme_with(void (*change)(LayerConfig&)) {
  QConfig config;
  change(config.defaults);
  return config;
}

TEST_F(CheckpointTest, KeepsItsScheme) {
  const struct {
    QConfig config;
    const char* scheme;
  } cases[] = {
      {scheme_with([](LayerConfig& layer) { layer.weight.bits = 4; }),
       "fc1: expected the scheme of the configuration, int4 per channel, input int8 affine, got int8 per "
       "channel, "
       "input int8 affine"},
      {scheme_with([](LayerConfig& layer) { layer.activation.symmetric = true; }),
       "fc1: expected the scheme of the configuration, int8 per channel, input int8, got int8 per channel, "
       "input int8 affine"},
      {{.defaults = {}, .layers = {{"fc2", {.weight = {}, .activation = {}, .skip = true}}}},
       "fc2: expected the scheme of the configuration, float, got int8 per channel, input int8 affine"},
  };
  for (const auto& c : cases) {
    save();
    const Training other(2, {}, c.config), as_before(2, {}, c.config);
    EXPECT_EQ(error_of_loading(other), "[checkpoint] " + path_.string() + ": " + c.scheme +
                                           "; a trained model keeps its scheme: restore the configuration");
    expect_same(other, as_before);
  }
}

TEST_F(CheckpointTest, RefusesAStateThatNoQuantizerHas) {
  const auto number = [](auto value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    return std::vector<std::uint8_t>(bytes, bytes + sizeof value);
  };
  const struct {
    const char* name;
    std::vector<std::uint8_t> bytes;
    const char* expected;
  } cases[] = {
      {"state", number(std::int64_t{4}), "a state 0..3, got 4"},
      {"state", number(std::int64_t{-1}), "a state 0..3, got -1"},
      {"observed", number(std::int64_t{-1}), "a count >= 0, got -1"},
      {"scale", number(0.0f), "a finite scale >= 2^-126, got 0"},
      {"scale", number(INFINITY), "a finite scale >= 2^-126, got inf"},
      {"zero_point", number(std::int32_t{128}), "a code in -128..127, got 128"},
      {"min", number(NAN), "a finite number, got nan"},
      {"max", number(INFINITY), "a finite number, got inf"},
  };
  for (const auto& c : cases) {
    save();
    const std::string name = std::string("model.fc2.input.") + c.name;
    change([&](auto& file) { file.tensors.at(name).bytes = c.bytes; });
    const Training other(2), as_before(2);
    EXPECT_EQ(error_of_loading(other), "[checkpoint] " + path_.string() + ": " + name + ": expected " +
                                           c.expected + "; the file is damaged, take another checkpoint");
    expect_same(other, as_before);
  }
}

TEST_F(CheckpointTest, KnowsWhichPositionsAConfigurationHas) {
  save();  // epoch 3, step 17
  const Checkpoint checkpoint = Checkpoint::read(path_);
  EXPECT_EQ(error_of([&] { checkpoint.check_position(4, 18); }), "no error");
  for (const auto& [epochs, steps] : {std::pair{3, 18}, {4, 17}, {2, 20}})
    EXPECT_EQ(error_of([&, epochs = epochs, steps = steps] { checkpoint.check_position(epochs, steps); }),
              "[checkpoint] " + path_.string() + ": metadata position: expected at most epoch " +
                  std::to_string(epochs) + " of " + std::to_string(steps) +
                  " steps, got epoch 3, step 17; is it of another configuration?");
}

TEST_F(CheckpointTest, NeedsTheOptimizersStateOnceStepsWereDone) {
  save();
  change([](auto& file) {
    std::erase_if(file.tensors, [](const auto& each) { return each.first.starts_with("optimizer."); });
  });
  const Training other(2);
  EXPECT_EQ(error_of_loading(other),
            "[checkpoint] " + path_.string() +
                ": optimizer.fc1.weight.step: expected Long [], got none; is it of another configuration?");
  change([](auto& file) {
    file.metadata["position"] = R"({"phase":"qat","epoch":0,"step_in_epoch":0,"loss_sum":0.0,"samples":0})";
  });
  EXPECT_EQ(error_of_loading(other), "no error");  // before its first step it has none
}

TEST_F(CheckpointTest, ThatCannotBeWrittenIsAWriteError) {
  Training training(1);
  EXPECT_THROW(save_checkpoint(folder_ / "none" / "a.safetensors", *training.model.module,
                               *training.optimizer, kPosition),
               io::WriteError);
}

}  // namespace
}  // namespace samebits::training
