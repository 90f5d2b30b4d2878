// A plug-in with a model that fits, models and data sets that are wrong in one way each.
#include <samebits/plugin.h>
#include <torch/torch.h>

#include <stdexcept>

namespace {

struct Line : torch::nn::Module {
  explicit Line(const samebits::ModelRequest& request)
      : fc(register_module("fc", torch::nn::Linear(request.input.back(), request.outputs))) {}
  torch::Tensor forward(const torch::Tensor& x) { return fc(x); }
  torch::nn::Linear fc;
};

samebits::PluginData ramp(std::int64_t outputs = 2) {
  const auto part = [](std::int64_t n) {
    const torch::Tensor x = torch::arange(3 * n, torch::kFloat).reshape({n, 3});
    return samebits::PluginPart{x, torch::arange(n, torch::kLong).remainder(2)};
  };
  return {.train = part(10), .test = part(4), .outputs = outputs};
}

}  // namespace

SAMEBITS_PLUGIN(registry) {
  registry.add_model("line", [](const samebits::ModelRequest& request) {
    return samebits::trainable_model(std::make_shared<Line>(request));
  });
  registry.add_model("wide", [](samebits::ModelRequest request) {
    ++request.outputs;
    return samebits::trainable_model(std::make_shared<Line>(request));
  });
  registry.add_model("none", [](const samebits::ModelRequest&) { return samebits::TrainableModel(); });
  registry.add_model("throws", [](const samebits::ModelRequest&) -> samebits::TrainableModel {
    throw std::runtime_error("expected luck, got none");
  });
  registry.add_data("ramp", [] { return ramp(); });
  registry.add_data("no outputs", [] { return ramp(0); });
  registry.add_data("no test part", [] {
    samebits::PluginData data = ramp();
    data.test = {};
    return data;
  });
  registry.add_data("double", [] {
    samebits::PluginData data = ramp();
    data.train.x = data.train.x.to(torch::kDouble);
    return data;
  });
  registry.add_data("wider test part", [] {
    samebits::PluginData data = ramp();
    data.test.x = torch::zeros({4, 5});
    return data;
  });
  registry.add_data("fewer targets", [] {
    samebits::PluginData data = ramp();
    data.train.target = data.train.target.narrow(0, 0, 9);
    return data;
  });
}
