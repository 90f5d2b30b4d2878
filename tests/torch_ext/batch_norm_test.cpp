// Batch norms that layers join: the folding against the oracle, training as torch does it, one answer once
// frozen, and what prepare() makes of a Sequential.
#include "torch_ext/modules/joined_batch_norm.h"

#include <limits>

#include "runtime/interpreter.h"
#include "tests/graph/op_cases.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/convert.h"
#include "torch_ext/reestimate_batch_norms.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using torch::Tensor;
namespace nn = torch::nn;

class BatchNorm : public ModelTest {};

/// conv-BN, depthwise conv-BN with one weight grid, linear-BN: what a user writes. x [n, 3, 8, 8] to [n, 5].
nn::Sequential cnn() {
  return nn::Sequential(nn::Conv2d(nn::Conv2dOptions(3, 8, 3).padding(1)), nn::BatchNorm2d(8), nn::ReLU(),
                        nn::Conv2d(nn::Conv2dOptions(8, 8, 3).groups(8).bias(false)), nn::BatchNorm2d(8),
                        nn::ReLU(), nn::MaxPool2d(2), nn::Conv2d(nn::Conv2dOptions(8, 6, 2).groups(2)),
                        nn::BatchNorm2d(6), nn::Flatten(), nn::Linear(24, 9),
                        nn::BatchNorm1d(nn::BatchNormOptions(9).affine(false)), nn::Linear(9, 5));
}
Tensor images(std::int64_t n) {
  return torch::randn({n, 3, 8, 8});
}

/// Statistics and parameters as training may leave them: gammas of either sign and 0, a variance of almost 0.
void scatter(nn::Module& model) {
  const torch::NoGradGuard no_grad;
  for (const auto& parameter : model.named_parameters())
    if (parameter.value().dim() == 1) parameter.value().normal_();
  for (const auto& buffer : model.named_buffers()) {
    const std::string& name = buffer.key();
    if (name.ends_with("running_mean")) buffer.value().normal_();
    if (name.ends_with("running_var")) buffer.value().uniform_(0.1, 3).index_put_({2}, 1e-30f);
  }
  for (const auto& parameter : model.named_parameters())
    if (parameter.key().ends_with(".weight") && parameter.value().dim() == 1)
      torch::Tensor(parameter.value())[1] = 0.0f;
}

Prepared prepared_cnn(nn::Sequential& model, const QConfig& config = QConfig()) {
  Prepared prepared = prepare(model, config, images(2), /*observe_steps=*/2);
  torch::optim::SGD optimizer(model->parameters(), 0.02);
  for (int step = 0; step < 4; ++step) {
    optimizer.zero_grad();
    model->forward(images(16)).square().mean().backward();
    optimizer.step();
  }
  EXPECT_EQ(prepared.state(), QuantizerState::kQuantizing);
  return prepared;
}

TEST_F(BatchNorm, FoldsAsTheContractSaysForEveryMagnitude) {
  const std::int64_t n = 100'000;
  for (const double eps : {1e-5, 1e-3, 1e-30}) {
    for (const bool affine : {true, false}) {
      JoinedBatchNorm norm(nn::BatchNormOptions(n).eps(eps).affine(affine));
      const torch::NoGradGuard no_grad;
      const auto any = [&] { return torch::randn({n}) * torch::exp(torch::randn({n}) * 10); };
      norm->running_mean.copy_(any());
      norm->running_var.copy_(any().abs());
      const float special[] = {0.0f, 1e-38f, 1e-45f, 3e38f, 1.0f};
      for (std::int64_t i = 0; i < 5; ++i) norm->running_var[i] = special[i];
      if (affine) {
        norm->weight.copy_(any());
        norm->bias.copy_(any());
        norm->weight[7] = 0.0f;
        norm->bias[8] = -0.0f;
      }
      for (const Tensor& layer_bias : {Tensor(), any()}) {
        const FoldedBatchNorm folded = norm->folded(layer_bias);
        const auto value = [](const Tensor& values, std::int64_t i, float missing) {
          return values.defined() ? values.const_data_ptr<float>()[i] : missing;
        };
        for (std::int64_t i = 0; i < n; ++i) {
          const oracle::FoldedBatchNorm expected = oracle::fold_batch_norm(
              value(layer_bias, i, 0), value(norm->weight, i, 1), value(norm->bias, i, 0),
              value(norm->running_mean, i, 0), value(norm->running_var, i, 0), static_cast<float>(eps));
          ASSERT_EQ(std::bit_cast<std::uint32_t>(value(folded.scale, i, 0)),
                    std::bit_cast<std::uint32_t>(expected.scale))
              << i;
          if (std::isnan(expected.bias)) continue;  // infinity minus infinity: which NaN is nobody's promise
          ASSERT_EQ(std::bit_cast<std::uint32_t>(value(folded.bias, i, 0)),
                    std::bit_cast<std::uint32_t>(expected.bias))
              << i;
        }
      }
    }
  }
}

/// The same values in a model of its own.
void copy_tensors(const nn::Module& from, nn::Module& to) {
  const torch::NoGradGuard no_grad;
  const auto targets = to.named_parameters();
  for (const auto& each : from.named_parameters()) targets[each.key()].copy_(each.value());
  const auto buffers = to.named_buffers();
  for (const auto& each : from.named_buffers())
    if (buffers.contains(each.key())) buffers[each.key()].copy_(each.value());
}

TEST_F(BatchNorm, LeavesWhatAFloatModelComputesToTheBit) {
  nn::Sequential before = cnn(), model = cnn();
  scatter(*before);
  copy_tensors(*before, *model);
  prepare(model, QConfig(), images(2), /*observe_steps=*/0);
  const Tensor x = images(6);
  for (const bool training : {true, false}) {
    SCOPED_TRACE(training ? "training" : "eval");
    before->train(training);
    model->train(training);
    const Tensor expected = before->forward(x), got = model->forward(x);
    EXPECT_TRUE(same_bits(got, expected));
    expected.square().sum().backward();
    got.square().sum().backward();
    const auto gradients = before->named_parameters();
    for (const auto& each : model->named_parameters())
      EXPECT_TRUE(same_bits(each.value().grad(), gradients[each.key()].grad())) << each.key();
    const auto buffers = model->named_buffers();
    for (const auto& each : before->named_buffers())
      EXPECT_TRUE(torch::equal(buffers[each.key()], each.value())) << each.key();
  }
}

TEST_F(BatchNorm, TrainsOnTheStatisticsOfTheIntegerLayersOutput) {
  for (const auto momentum : {std::optional(0.1), std::optional<double>()}) {
    const auto options = nn::BatchNormOptions(6).momentum(momentum);
    QATConv2d conv(QATConv2dOptions(3, 6, 3).batch_norm(options)), plain(QATConv2dOptions(3, 6, 3));
    nn::BatchNorm2d norm(options);
    {
      const torch::NoGradGuard no_grad;
      plain->weight.copy_(conv->weight);
      plain->bias.copy_(conv->bias);
    }
    nn::Sequential with(conv), without(plain);
    freeze(with, {1, 3, 8, 8});
    freeze(without, {1, 3, 8, 8});
    for (const char* name : {"scale", "zero_point"})
      plain->input().named_buffers()[name].copy_(conv->input().named_buffers()[name]);
    for (int step = 0; step < 3; ++step) {
      const Tensor x = images(5);
      EXPECT_TRUE(same_bits(conv->forward(x), norm->forward(plain->forward(x))));
    }
    const auto statistics = conv->batch_norm()->named_buffers();
    for (const auto& each : norm->named_buffers())
      EXPECT_TRUE(torch::equal(statistics[each.key()], each.value())) << each.key();
  }
}

TEST_F(BatchNorm, IsJoinedInASequentialUnderTheNamesAndTensorsItHad) {
  nn::Sequential model = cnn();
  const auto parameters = model->named_parameters(), buffers = model->named_buffers();
  QConfig config;
  LayerConfig skip;
  skip.skip = true;
  config.layers.emplace_back("7", skip);
  const Prepared prepared = prepare(model, config, images(2));
  EXPECT_EQ(
      prepared.report(),
      "layer  kind        weight            input        result\n"
      "0      conv2d      int8 per channel  int8 affine  converted (with batch norm 1)\n"
      "3      conv2d      int8 per channel  int8 affine  converted (with batch norm 4)\n"
      "10     linear      int8 per channel  int8 affine  converted (with batch norm 11)\n"
      "12     linear      int8 per channel  int8 affine  converted\n"
      "7      nn::Conv2d                                 skipped (the configuration skips it; with batch "
      "norm 8)\n");
  const auto after = model->named_parameters();
  ASSERT_EQ(after.keys(), parameters.keys());
  for (const auto& each : parameters) EXPECT_TRUE(after[each.key()].is_same(each.value())) << each.key();
  const auto buffers_after = model->named_buffers();
  for (const auto& each : buffers) EXPECT_TRUE(buffers_after[each.key()].is_same(each.value())) << each.key();
}

TEST_F(BatchNorm, StaysWhereItIsWhenItFitsNoLayerOrPrepareFails) {
  nn::Sequential others(nn::Conv2d(3, 4, 3), nn::ReLU(), nn::BatchNorm2d(4), nn::Conv2d(4, 4, 3),
                        nn::BatchNorm2d(nn::BatchNormOptions(4).track_running_stats(false)), nn::Flatten(),
                        nn::Linear(64, 4), nn::Unflatten(nn::UnflattenOptions(1, {2, 2})),
                        nn::BatchNorm1d(2));
  prepare(others, QConfig(), images(2));
  for (const std::size_t i : {2, 4}) EXPECT_NE(others->ptr(i)->as<nn::BatchNorm2dImpl>(), nullptr) << i;
  EXPECT_NE(others->ptr(8)->as<nn::BatchNorm1dImpl>(), nullptr);

  struct Unreached : nn::Module {
    nn::Sequential body = cnn();
    QATLinear never{3, 3};
    Unreached() {
      register_module("body", body);
      register_module("never", never);
    }
    Tensor forward(const Tensor& x) { return body->forward(x); }
  } model;
  scatter(*model.body);
  model.eval();
  const Tensor x = images(3), before = model.forward(x);
  EXPECT_EQ(
      error_of([&] { prepare(model, QConfig(), x); }),
      "[prepare] never: expected to be reached by the example input, got no call; use the layer in forward, "
      "or skip it");
  EXPECT_NE(model.body->ptr(1)->as<nn::BatchNorm2dImpl>(), nullptr);
  EXPECT_NE(model.body->ptr(11)->as<nn::BatchNorm1dImpl>(), nullptr);
  EXPECT_TRUE(same_bits(model.forward(x), before));
}

/// Every grid that a conv-BN or linear-BN can have.
std::vector<std::pair<const char*, QConfig>> configs() {
  QConfig per_tensor, affine, grouped, skipped;
  per_tensor.defaults.weight.granularity = Granularity::kPerTensor;
  affine.defaults.weight.bits = 5;
  affine.defaults.weight.symmetric = false;
  LayerConfig skip;
  skip.skip = true;
  skipped.layers.emplace_back("3", skip);
  skipped.layers.emplace_back("10", skip);
  return {{"int8", QConfig()},
          {"a grid for the whole weight", per_tensor},
          {"weights with zero points", affine},
          {"4 bits in groups", QConfig::preset("w4a8")},
          {"float layers between", skipped}};
}

TEST_F(BatchNorm, OnceFrozenGivesOneAnswerInTrainingEvalAndEveryEngine) {
  for (const auto& [why, config] : configs()) {
    SCOPED_TRACE(why);
    nn::Sequential model = cnn();
    Prepared prepared = prepared_cnn(model, config);
    prepared.freeze();
    scatter(*model);
    const bool has_floats = !config.layers.empty();
    const QuantizedModel quantized = convert(model, images(2));
    const runtime::Array x = [&] {
      const Tensor values = images(9);
      return runtime::Array{
          values.sizes().vec(),
          {values.const_data_ptr<float>(), values.const_data_ptr<float>() + values.numel()}};
    }();
    const Tensor x_tensor = torch::tensor(x.values).reshape(x.shape);
    const graph::FloatTensor y =
        oracle::run(quantized.graph(), {{x.shape, x.values}}).at(quantized.graph().outputs[0]);
    const Tensor expected = torch::tensor(y.values).reshape(y.shape);
    EXPECT_TRUE(expected.isfinite().all().item<bool>());
    for (const int threads : {1, 2, 3}) {
      at::set_num_threads(threads);
      model->eval();
      EXPECT_TRUE(same_bits(model->forward(x_tensor), expected)) << "eval, " << threads << " threads";
      prepared.freeze_bn();
      model->train();
      if (!has_floats) {
        EXPECT_TRUE(same_bits(model->forward(x_tensor), expected)) << "training, " << threads << " threads";
      }
      prepared.freeze_bn(false);
      const runtime::Array got = runtime::Interpreter(quantized.graph(), threads).run(x);
      EXPECT_TRUE(same_bits(torch::tensor(got.values).reshape(got.shape), expected)) << "runtime";
    }
    at::set_num_threads(1);
    model->eval();
    quantized.export_onnx(folder_ / "net.onnx");
    quantized.save(folder_ / "net.samebits");
    EXPECT_EQ(verify(model, folder_ / "net.samebits", {x_tensor}).differing, 0);
    try {
      EXPECT_EQ(verify(model, folder_ / "net.onnx", {x_tensor}).differing, 0);
    } catch (const MissingDependency& missing) {
      GTEST_SKIP() << missing.what();
    }
  }
}

TEST_F(BatchNorm, OnceFrozenTrainsItsParametersByTheRunningStatistics) {
  QATLinear joined(QATLinearOptions(12, 7).batch_norm(nn::BatchNormOptions(7))),
      plain(QATLinearOptions(12, 7));
  nn::BatchNorm1d norm(7);
  {
    const torch::NoGradGuard no_grad;
    scatter(*joined);
    joined->batch_norm()->weight.index_put_({3}, 0.0f);
    joined->batch_norm()->running_var.fill_(0.7f);
    copy_tensors(*joined->batch_norm(), *norm);
    plain->weight.copy_(joined->weight);
    plain->bias.copy_(joined->bias);
  }
  nn::Sequential with(joined), without(plain);
  Prepared prepared = freeze(with, {1, 12});
  freeze(without, {1, 12});
  for (const char* name : {"scale", "zero_point"})
    plain->input().named_buffers()[name].copy_(joined->input().named_buffers()[name]);
  prepared.freeze_bn();
  norm->eval();
  const Tensor x = torch::randn({40, 12}), grad = torch::randn({40, 7});
  const Tensor x1 = x.clone().requires_grad_(), x2 = x.clone().requires_grad_();
  const std::map<std::string, Tensor> statistics = {{"mean", joined->batch_norm()->running_mean.clone()},
                                                    {"var", joined->batch_norm()->running_var.clone()}};
  joined->forward(x1).backward(grad);
  norm->forward(plain->forward(x2)).backward(grad);
  EXPECT_TRUE(torch::allclose(x1.grad(), x2.grad(), 1e-4, 1e-5));
  EXPECT_TRUE(torch::allclose(joined->weight.grad(), plain->weight.grad(), 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(joined->bias.grad(), plain->bias.grad(), 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(joined->batch_norm()->weight.grad(), norm->weight.grad(), 1e-4, 1e-4));
  EXPECT_NE(joined->batch_norm()->weight.grad()[3].item<float>(), 0.0f);  // where gamma is 0, too
  EXPECT_TRUE(torch::allclose(joined->batch_norm()->bias.grad(), norm->bias.grad(), 1e-4, 1e-4));
  EXPECT_TRUE(torch::equal(joined->batch_norm()->running_mean, statistics.at("mean")));
  EXPECT_TRUE(torch::equal(joined->batch_norm()->running_var, statistics.at("var")));
}

TEST_F(BatchNorm, InEvalModeByItselfIsFrozenToo) {
  nn::Sequential model = cnn();
  Prepared prepared = prepared_cnn(model);
  prepared.freeze();
  model->train();
  for (const std::size_t i : {1, 4, 8, 11}) model->ptr(i)->eval();
  const Tensor x = images(4), y = model->forward(x);
  model->eval();
  EXPECT_TRUE(same_bits(model->forward(x), y));
}

TEST_F(BatchNorm, ReestimatesItsStatisticsOnTheQuantizedLayers) {
  nn::Sequential model = cnn();
  Prepared prepared = prepared_cnn(model);
  prepared.freeze_bn();  // estimated all the same
  const auto parameters = [&] {
    std::vector<Tensor> copies;
    for (const Tensor& each : model->parameters()) copies.push_back(each.detach().clone());
    return copies;
  };
  const std::vector<Tensor> before = parameters();
  const Tensor grid = prepared.layers()[0]->input().named_buffers()["scale"].clone();
  const std::vector<Tensor> batches = {images(8), images(24), images(5)};

  // The first layer's output without its batch norm, and the average of its statistics.
  Tensor mean = torch::zeros({8}), variance = torch::zeros({8});
  {
    const torch::NoGradGuard no_grad;
    const std::shared_ptr<QATLayer> first = prepared.layers()[0];
    const auto batch_norm = first->batch_norm();
    model->eval();
    first->join(nullptr);
    for (const Tensor& batch : batches) {
      const Tensor y = std::dynamic_pointer_cast<QATConv2dImpl>(first)->forward(batch);
      mean += y.mean({0, 2, 3}) / 3;
      variance += y.var({0, 2, 3}, /*unbiased=*/true) / 3;
    }
    first->join(batch_norm);
  }
  model->train();
  reestimate_batch_norms(model, batches);
  EXPECT_TRUE(torch::allclose(prepared.layers()[0]->batch_norm()->running_mean, mean, 1e-4, 1e-5));
  EXPECT_TRUE(torch::allclose(prepared.layers()[0]->batch_norm()->running_var, variance, 1e-4, 1e-5));
  const std::vector<Tensor> after = parameters();
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(same_bits(after[i], before[i]));
  EXPECT_TRUE(same_bits(prepared.layers()[0]->input().named_buffers()["scale"], grid));
  EXPECT_TRUE(model->is_training());

  const std::vector<Tensor> once = [&] {
    std::vector<Tensor> copies;
    for (const Tensor& each : model->buffers()) copies.push_back(each.clone());
    return copies;
  }();
  reestimate_batch_norms(model, batches);  // begins anew
  const std::vector<Tensor> twice = model->buffers();
  for (std::size_t i = 0; i < twice.size(); ++i) EXPECT_TRUE(torch::equal(twice[i], once[i])) << i;
  reestimate_batch_norms(model, {});
  for (std::size_t i = 0; i < twice.size(); ++i) EXPECT_TRUE(torch::equal(model->buffers()[i], once[i])) << i;
}

TEST_F(BatchNorm, ReestimatesThoseThatNoLayerJoinedAndGivesThemTheirMomentumBack) {
  nn::Sequential model(nn::ReLU(), nn::BatchNorm2d(nn::BatchNormOptions(3).momentum(0.25)));
  model->train();
  model->forward(images(4));
  const std::vector<Tensor> batches = {images(4), images(4)};
  reestimate_batch_norms(model, batches);
  auto* norm = model->ptr(1)->as<nn::BatchNorm2dImpl>();
  const Tensor expected =
      (torch::relu(batches[0]).mean({0, 2, 3}) + torch::relu(batches[1]).mean({0, 2, 3})) / 2;
  EXPECT_TRUE(torch::allclose(norm->running_mean, expected, 1e-5, 1e-6));
  EXPECT_EQ(norm->options.momentum(), 0.25);
  EXPECT_EQ(norm->num_batches_tracked.item<std::int64_t>(), 1);
}

TEST_F(BatchNorm, ComesAlongWhenAModelIsCloned) {
  nn::Sequential model = cnn();
  Prepared prepared = prepared_cnn(model);
  prepared.freeze();
  prepared.freeze_bn();
  const Tensor x = images(3), y = model->forward(x);
  const auto copy = std::dynamic_pointer_cast<nn::SequentialImpl>(model->clone());
  EXPECT_TRUE(same_bits(copy->forward(x), y));
  {
    const torch::NoGradGuard no_grad;
    for (const Tensor& each : copy->parameters()) each.mul_(1.5);
  }
  EXPECT_FALSE(same_bits(copy->forward(x), y));
  EXPECT_TRUE(same_bits(model->forward(x), y));
  // What the copy trains is what it computes with.
  copy->forward(x).square().sum().backward();
  for (const auto& each : copy->named_parameters()) EXPECT_TRUE(each.value().grad().defined()) << each.key();

  QATLinear own(QATLinearOptions(4, 3).batch_norm(nn::BatchNormOptions(3)));
  const auto own_copy = own->clone();
  EXPECT_EQ(own_copy->named_parameters().keys(), own->named_parameters().keys());
  EXPECT_FALSE(own_copy->named_parameters()["bn.weight"].is_same(own->batch_norm()->weight));
}

TEST_F(BatchNorm, OfATypedMemberIsJoinedByHandAndGoesOnBeingItsOwners) {
  nn::BatchNorm1d norm(3);
  QATLinear layer(4, 3);
  layer->join(std::make_shared<JoinedBatchNormImpl>(*norm));
  layer->train();
  const Tensor before = norm->running_mean.clone();
  layer->forward(torch::randn({6, 4}));
  EXPECT_FALSE(torch::equal(norm->running_mean, before));
  EXPECT_EQ(norm->num_batches_tracked.item<std::int64_t>(), 1);
}

TEST_F(BatchNorm, SaysWhatALayerCannotJoin) {
  QATLinear layer(4, 3);
  EXPECT_EQ(error_of([&] { layer->join(std::make_shared<JoinedBatchNormImpl>(nn::BatchNormOptions(5))); }),
            "[linear] QATLinear: expected a batch norm of 3 channels, one an output, got 5");
  EXPECT_EQ(
      error_of([] { JoinedBatchNorm norm(nn::BatchNormOptions(5).track_running_stats(false)); }),
      "[batch_norm] expected one that tracks running statistics, got track_running_stats false; a layer "
      "cannot join it");
  layer->join(std::make_shared<JoinedBatchNormImpl>(nn::BatchNormOptions(3)));
  EXPECT_EQ(
      error_of([&] {
        layer->forward(torch::randn({2, 3, 4}));
      }),
      "[linear] QATLinear: expected [batch, in_features] before a batch norm, got shape [2, 3, 4]; call the "
      "batch norm on its own");
}

}  // namespace
}  // namespace samebits
