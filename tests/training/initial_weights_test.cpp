// training/loop/initial_weights.h: what `init` takes, and every way in which a file can be wrong.
#include "training/loop/initial_weights.h"

#include <cmath>

#include "io/safetensors.h"
#include "tests/training/data_files.h"
#include "tests/training/training_test.h"
#include "training/loop/checkpoint.h"
#include "training/loop/optimizer.h"
#include "training/models/models.h"

namespace samebits::training {
namespace {

using torch::Tensor;

TrainableModel mlp(std::uint64_t seed) {
  torch::manual_seed(seed);
  return make_model({.name = "mlp", .hidden = {5}}, {{3}, 4});
}

io::TensorData data_of(const Tensor& tensor, const std::string& dtype = "F32") {
  const Tensor values = tensor.detach().contiguous();
  const auto* bytes = static_cast<const std::uint8_t*>(values.const_data_ptr());
  return {dtype, values.sizes().vec(), {bytes, bytes + values.nbytes()}};
}

io::SafetensorsFile weights_of(const TrainableModel& model) {
  io::SafetensorsFile file;
  for (const auto& each : model.module->named_parameters()) file.tensors[each.key()] = data_of(each.value());
  return file;
}

class InitialWeights : public DataFolder {
 protected:
  std::string path(const std::string& name = "w.safetensors") const { return (folder_ / name).string(); }
  void expect_equal(const TrainableModel& a, const TrainableModel& b) {
    const auto expected = a.module->named_parameters();
    for (const auto& each : b.module->named_parameters())
      EXPECT_TRUE(same_bits(each.value(), expected[each.key()])) << each.key();
  }
};

TEST_F(InitialWeights, AreThoseOfTheFile) {
  const TrainableModel from = mlp(1), to = mlp(2);
  io::write_safetensors(path(), weights_of(from));
  load_initial_weights(*to.module, path());
  expect_equal(from, to);
}

TEST_F(InitialWeights, AreThoseOfACheckpointWithoutItsOptimizer) {
  const TrainableModel from = mlp(1), to = mlp(2);
  const auto optimizer = make_optimizer({}, *from.module);
  from.forward(torch::randn({2, 3})).sum().backward();
  optimizer->step();
  save_checkpoint(path(), *from.module, *optimizer, {});
  load_initial_weights(*to.module, path());
  expect_equal(from, to);
}

TEST_F(InitialWeights, AreRoundedFromOtherTypes) {
  const TrainableModel from = mlp(1), to = mlp(2);
  io::SafetensorsFile file = weights_of(from);
  const Tensor weight = from.module->named_parameters()["fc1.weight"];
  file.tensors["fc1.weight"] = data_of(weight.to(torch::kBFloat16), "BF16");
  file.tensors["fc1.bias"] = data_of(torch::full({5}, 0.1, torch::kDouble), "F64");
  file.tensors["fc2.bias"] = data_of(torch::full({4}, 0.5, torch::kHalf), "F16");
  io::write_safetensors(path(), file);
  load_initial_weights(*to.module, path());
  const auto loaded = to.module->named_parameters();
  EXPECT_TRUE(same_bits(loaded["fc1.weight"], weight.to(torch::kBFloat16).to(torch::kFloat)));
  EXPECT_TRUE(same_bits(loaded["fc1.bias"], torch::full({5}, 0.1f)));
  EXPECT_TRUE(same_bits(loaded["fc2.bias"], torch::full({4}, 0.5f)));
}

TEST_F(InitialWeights, IncludeTheBuffersOfBatchNormalization) {
  const auto net = [](std::uint64_t seed) {
    torch::manual_seed(seed);
    return make_model({.name = "resnet20", .width = 2, .depth = 1}, {{1, 4, 4}, 3});
  };
  const TrainableModel from = net(1), to = net(2);
  from.forward(torch::randn({4, 1, 4, 4}));  // moves them
  io::SafetensorsFile file = weights_of(from);
  for (const auto& each : from.module->named_buffers())
    file.tensors[each.key()] = data_of(each.value(), each.value().is_floating_point() ? "F32" : "I64");
  io::write_safetensors(path(), file);
  load_initial_weights(*to.module, path());
  EXPECT_TRUE(same_bits(to.module->named_buffers()["bn.running_mean"],
                        from.module->named_buffers()["bn.running_mean"]));
  EXPECT_EQ(to.module->named_buffers()["bn.num_batches_tracked"].item<std::int64_t>(), 1);
}

TEST_F(InitialWeights, NamesTheTensorThatDoesNotFitAndChangesNothing) {
  const struct {
    void (*damage)(io::SafetensorsFile& file);
    const char* error;
  } cases[] = {
      {[](auto& file) { file.tensors.erase("fc2.bias"); },
       "fc2.bias: expected F32 [4], got none; is it of another model?"},
      {[](auto& file) { file.tensors["fc3.bias"] = file.tensors["fc2.bias"]; },
       "fc3.bias: expected no tensor of that name, got F32 [4]; is it of another model?"},
      {[](auto& file) {
         file.tensors["fc1.weight"].shape = {3, 5};
       },
       "fc1.weight: expected F32 [5, 3], got F32 [3, 5]; is it of another model?"},
      {[](auto& file) { file.tensors["fc2.bias"].dtype = "I32"; },
       "fc2.bias: expected F32 [4], got I32 [4]; is it of another model?"},
      {[](auto& file) {
         file.tensors["fc1.bias"] = data_of(torch::tensor({0.0f, 1.0f, NAN, 2.0f, NAN}));
       },
       "fc1.bias: expected finite numbers, got nan at element 2; save the weights again"},
      {[](auto& file) { file.tensors["fc2.bias"] = data_of(torch::full({4}, 1e300, torch::kDouble), "F64"); },
       "fc2.bias: expected finite numbers, got inf at element 0; save the weights again"},
  };
  for (const auto& c : cases) {
    const TrainableModel from = mlp(1), to = mlp(2);
    io::SafetensorsFile file = weights_of(from);
    c.damage(file);
    io::write_safetensors(path(), file);
    EXPECT_EQ(error_in_folder([&] { load_initial_weights(*to.module, path()); }),
              std::string("[init] DIR/w.safetensors: ") + c.error);
    expect_equal(mlp(2), to);
  }
}

TEST_F(InitialWeights, NamesAFileThatIsNone) {
  const TrainableModel to = mlp(2);
  write("no.safetensors", "text");
  EXPECT_THAT(error_in_folder([&] { load_initial_weights(*to.module, path("no.safetensors")); }),
              testing::StartsWith("[safetensors] DIR/no.safetensors: "));
  EXPECT_THAT(error_in_folder([&] { load_initial_weights(*to.module, path("none.safetensors")); }),
              testing::StartsWith("[safetensors] DIR/none.safetensors: "));
}

}  // namespace
}  // namespace samebits::training
