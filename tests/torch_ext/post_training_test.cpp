// torch_ext/ptq/post_training.h: records against the inputs themselves, what a frozen model computes with,
// and every refusal.
#include "torch_ext/ptq/post_training.h"

#include <cmath>
#include <limits>
#include <utility>

#include "tests/torch_ext/models.h"
#include "torch_ext/convert.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

class PostTraining : public ModelTest {
 protected:
  /// Calibrates on `batches` and freezes; the results of the weights.
  template <class Model>
  std::vector<WeightResult> quantize(Model& model, Prepared& prepared,
                                     const std::vector<torch::Tensor>& batches, const PtqConfig& config) {
    const ModelRef ref = model_ref(model);
    PostTrainingQuantizer quantizer(ref, prepared, config);
    quantizer.calibrate(static_cast<std::int64_t>(batches.size()),
                        [&](std::int64_t i) { return batches[static_cast<std::size_t>(i)]; });
    records_ = quantizer.records();
    const std::vector<WeightResult> results = quantizer.quantize_weights();
    quantizer.freeze();
    return results;
  }
  std::vector<ActivationRecord> records_;
};

QConfig bits(int weight_bits) {
  QConfig config;
  config.defaults.weight.bits = weight_bits;
  return config;
}

double mean_squared(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.detach() - b.detach()).square().mean().item<double>();
}

/// Rows of values that depend on each other, all >= 0.
torch::Tensor dependent(std::int64_t examples) {
  const torch::Tensor hidden = torch::randn({examples, 3}), mix = torch::randn({3, 12});
  return torch::relu(hidden.matmul(mix) + 0.1 * torch::randn({examples, 12}));
}

TEST_F(PostTraining, RecordsTheInputsOfEachLayer) {
  Mlp model;
  Prepared prepared = prepare(model, QConfig(), torch::randn({1, 12}), 0);
  const std::vector<torch::Tensor> batches = {torch::randn({20, 12}), 3 * torch::randn({7, 12})};
  quantize(model, prepared, batches, {});
  const torch::Tensor all = torch::cat(batches);
  ASSERT_EQ(records_.size(), 2u);
  EXPECT_EQ(records_[0].path, "fc1");
  EXPECT_EQ(records_[0].batches, 2);
  EXPECT_EQ(records_[0].values, 27 * 12);
  EXPECT_EQ(records_[0].histogram.total(), 27 * 12);
  EXPECT_EQ(records_[0].min, all.min().item<float>());
  EXPECT_EQ(records_[0].max, all.max().item<float>());
  EXPECT_EQ(records_[0].range, (kernels::HistogramRange{records_[0].min, records_[0].max}));
  EXPECT_EQ(records_[0].clipped_percent, 0);
  EXPECT_EQ(model.fc1->input().affine_grid(), grid_of(records_[0].min, records_[0].max));
  EXPECT_EQ(records_[1].min, 0.0f);  // behind a relu
}

TEST_F(PostTraining, SeesTheReluThatIsPartOfALayer) {
  torch::nn::Sequential model(QATLinear(QATLinearOptions(12, 12).relu_input(true)));
  Prepared prepared = prepare(model, QConfig(), torch::randn({1, 12}), 0);
  quantize(model, prepared, {torch::randn({30, 12})}, {});
  EXPECT_EQ(records_[0].min, 0.0f);
}

TEST_F(PostTraining, WithMinMaxAndNearestIsCalibrate) {
  // calibrate() follows the same batches by the observer min_max.
  QConfig config;
  config.defaults.activation.observer = ObserverKind::kMinMax;
  Cnn model, other;
  const torch::NoGradGuard no_grad;
  const auto from = model.named_parameters();
  for (auto& parameter : other.named_parameters()) parameter.value().copy_(from[parameter.key()]);
  const std::vector<torch::Tensor> batches = {torch::randn({8, 2, 8, 8}), torch::randn({8, 2, 8, 8})};
  Prepared prepared = prepare(model, config, batches[0], 0),
           other_prepared = prepare(other, config, batches[0], 0);
  for (const WeightResult& each : quantize(model, prepared, batches, {}))
    EXPECT_TRUE(each.is_done) << each.note;
  calibrate(other, other_prepared, batches);
  model.eval();
  other.eval();
  EXPECT_TRUE(same_bits(model.forward(batches[0]), other.forward(batches[0])));
}

TEST_F(PostTraining, CutsOutliersByThreeRules) {
  // What clipping 90 to r costs, (90 - r)², and what steps of r / 255 cost 24,000 values are least together at
  // 90 / (1 + 24,000 / (12 · 255²)) = 87.3.
  const std::pair<RangeRule, float> rules[] = {
      {RangeRule::kPercentile, 60.0f}, {RangeRule::kLeastError, 88.5f}, {RangeRule::kKl, 60.0f}};
  for (const auto& [rule, most] : rules) {
    Mlp model;
    Prepared prepared = prepare(model, QConfig(), torch::randn({1, 12}), 0);
    torch::Tensor x = torch::randn({2000, 12});
    x[0][0] = 90.0f;
    quantize(model, prepared, {x}, {.range = rule, .percentile = 0.999});
    EXPECT_EQ(records_[0].max, 90.0f);
    EXPECT_LT(records_[0].range.high, most) << static_cast<int>(rule);
    EXPECT_GT(records_[0].range.high, 1.5f) << static_cast<int>(rule);
    EXPECT_GT(records_[0].clipped_percent, 0);
    EXPECT_LT(records_[0].clipped_percent, 10);
    EXPECT_EQ(model.fc1->input().affine_grid(), grid_of(records_[0].range.low, records_[0].range.high));
  }
}

TEST_F(PostTraining, TakesPercentilesOfTheDataHoweverFarAnOutlierIs) {
  Mlp model;
  Prepared prepared = prepare(model, QConfig(), torch::randn({1, 12}), 0);
  std::vector<torch::Tensor> batches;
  for (int i = 0; i < 4; ++i) batches.push_back(torch::rand({4200, 12}) * 2 - 1);
  batches[2][0][0] = 1e6f;
  const torch::Tensor all = std::get<0>(torch::cat(batches).flatten().sort());  // 201,600 values
  quantize(model, prepared, batches, {.range = RangeRule::kPercentile, .percentile = 0.9999});
  EXPECT_EQ(records_[0].max, 1e6f);
  EXPECT_EQ(records_[0].range.low, all[20].item<float>());
  EXPECT_EQ(records_[0].range.high, all[201600 - 1 - 20].item<float>());
}

TEST_F(PostTraining, GptqLosesLessOfTheOutputsThanTheNearestCodes) {
  const torch::Tensor x = dependent(256);
  double lost[2] = {};
  for (const Rounding rounding : {Rounding::kNearest, Rounding::kGptq}) {
    torch::manual_seed(3);
    Free model([](Free& self, const torch::Tensor& input) { return self.fc(input); });
    const torch::Tensor exact = model.forward(x).detach();
    Prepared prepared = prepare(model, bits(3), x, 0);
    for (const WeightResult& each : quantize(model, prepared, {x}, {.rounding = rounding}))
      EXPECT_TRUE(each.is_done) << each.note;
    model.eval();
    lost[rounding == Rounding::kGptq ? 1 : 0] = mean_squared(model.forward(x), exact);
  }
  EXPECT_LT(lost[1], 0.7 * lost[0]);
}

TEST_F(PostTraining, BiasCorrectionKeepsTheMeansOfTheOutputs) {
  const torch::Tensor x = dependent(256);
  double off[2] = {};
  for (const bool corrects : {false, true}) {
    torch::manual_seed(4);
    Free model([](Free& self, const torch::Tensor& input) { return self.fc(input); });
    const torch::Tensor exact = model.forward(x).detach().mean(0);
    Prepared prepared = prepare(model, bits(2), x, 0);
    quantize(model, prepared, {x}, {.corrects_bias = corrects});
    model.eval();
    off[corrects ? 1 : 0] = mean_squared(model.forward(x).detach().mean(0), exact);
  }
  EXPECT_LT(off[1], 0.05 * off[0]);  // what is left is the input's rounding
}

TEST_F(PostTraining, TakesConvolutionsInGroupsAndShipsWhatItComputes) {
  Cnn model;
  const torch::Tensor x = torch::randn({16, 2, 8, 8});
  Prepared prepared = prepare(model, bits(4), x, 0);
  const auto results = quantize(model, prepared, {x}, {.rounding = Rounding::kGptq, .corrects_bias = true});
  for (const WeightResult& each : results) EXPECT_TRUE(each.is_done) << each.path << ": " << each.note;
  convert(model, x).save(folder_ / "net.samebits");
  EXPECT_EQ(verify(model, folder_ / "net.samebits", {x}).differing, 0);
}

TEST_F(PostTraining, NamesALayerThatFailsAndLeavesItsWeight) {
  Mlp model;
  const torch::Tensor x = torch::randn({8, 12});
  Prepared prepared = prepare(model, QConfig(), x, 0);
  const ModelRef ref = model_ref(model);
  PostTrainingQuantizer quantizer(ref, prepared, {.rounding = Rounding::kGptq});
  quantizer.calibrate(1, [&](std::int64_t) { return x; });
  {
    const torch::NoGradGuard no_grad;
    model.fc2->weight[0][1] = std::numeric_limits<float>::quiet_NaN();
  }
  const torch::Tensor before = model.fc2->weight.detach().clone();
  const auto results = quantizer.quantize_weights();
  EXPECT_TRUE(results[0].is_done);
  EXPECT_FALSE(results[1].is_done);
  EXPECT_EQ(results[1].path, "fc2");
  EXPECT_EQ(results[1].note,
            "[qat] fc2: expected numbers in the weight, got NaN; look at the learning rate and the loss "
            "before this "
            "step");
  EXPECT_TRUE(same_bits(model.fc2->weight, before));
}

TEST_F(PostTraining, RefusesBatchesThatSayNothing) {
  Mlp model;
  Prepared prepared = prepare(model, QConfig(), torch::randn({1, 12}), 0);
  const ModelRef ref = model_ref(model);
  PostTrainingQuantizer quantizer(ref, prepared, {});
  const auto error = [&](std::int64_t count, const torch::Tensor& x) {
    return error_of([&] { quantizer.calibrate(count, [&](std::int64_t) { return x; }); });
  };
  torch::Tensor bad = torch::randn({4, 12});
  EXPECT_EQ(error(0, bad), "[ptq] calibrate: expected at least 1 batch, got 0");
  EXPECT_EQ(error(1, torch::empty({0, 12})), "[ptq] batch 0: expected at least 1 example, got none");
  EXPECT_EQ(
      error(2, torch::full({4, 12}, 0.5f)),
      "[ptq] fc1: expected inputs that differ, got 0.5 throughout 2 batches; calibrate on real examples");
  bad[1][2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error(1, bad),
            "[ptq] fc1: expected numbers at the input, got NaN in batch 0; look at the batch and the layers "
            "before");
  bad[1][2] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(
      error(1, bad),
      "[ptq] fc1: expected finite values at the input, got infinity in batch 0; look at the batch and the "
      "layers before");
}

TEST_F(PostTraining, RefusesToGoOnWithoutCalibration) {
  Mlp model;
  Prepared prepared = prepare(model, QConfig(), torch::randn({1, 12}), 0);
  const ModelRef ref = model_ref(model);
  PostTrainingQuantizer quantizer(ref, prepared, {});
  EXPECT_EQ(error_of([&] { quantizer.quantize_weights(); }),
            "[ptq] quantize_weights: expected calibrated inputs, got none; call calibrate()");
  EXPECT_EQ(error_of([&] { quantizer.freeze(); }),
            "[ptq] freeze: expected calibrated inputs, got none; call calibrate()");
  EXPECT_EQ(error_of([&] { PostTrainingQuantizer(ref, prepared, {.percentile = 1.5}); }),
            "[ptq] percentile: expected a part in 0.5..1, got 1.5");
}

}  // namespace
}  // namespace samebits
