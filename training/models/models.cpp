#include "training/models/models.h"

#include <torch/torch.h>

#include "io/error.h"
#include "torch_ext/config/yaml_reader.h"
#include "training/errors.h"
#include "training/models/names.h"
#include "training/plugin.h"

namespace samebits::training {
namespace {

struct Entry {
  std::string_view name;
  TrainableModel (*make)(const ModelConfig& config, const ModelRequest& request);
};
constexpr std::array<Entry, kModelNames.size()> kModels = {{{"cnn", make_cnn},
                                                            {"mlp", make_mlp},
                                                            {"resnet20", make_resnet20},
                                                            {"mobilenet", make_mobilenet},
                                                            {"lstm", make_lstm},
                                                            {"gru", make_gru},
                                                            {"transformer", make_transformer},
                                                            {"gpt", make_gpt}}};

constexpr bool are_named_alike() {
  for (std::size_t i = 0; i < kModels.size(); ++i)
    if (kModels[i].name != kModelNames[i].name) return false;
  return true;
}
static_assert(are_named_alike(), "names.h is what a configuration may say");

bool takes(const ModelName& model, const ModelRequest& request) {
  if (request.is_tokens) return model.takes_tokens;
  if (request.input.size() == 1) return model.takes_features;
  return request.input.size() == 2 ? model.takes_sequences : model.takes_images;
}

void check_takes(const std::string& name, const ModelRequest& request) {
  std::vector<std::string> able;
  for (const ModelName& each : kModelNames) {
    if (!takes(each, request)) continue;
    if (each.name == name) return;
    able.emplace_back(each.name);
  }
  throw UsageError("[model] name: expected " + alternatives(able) + " for examples of " +
                   (request.is_tokens ? "tokens " : "") + io::to_text(request.input) + ", got " + name);
}

/// A model of a plug-in must give what the loss will take.
void check_outputs(const TrainableModel& model, const ModelRequest& request, const ModelConfig& config) {
  constexpr std::int64_t kExamples = 2;
  std::vector<std::int64_t> inputs = request.input, outputs{kExamples, request.outputs};
  inputs.insert(inputs.begin(), kExamples);
  if (request.is_tokens) outputs.insert(outputs.begin() + 1, request.input[0]);
  const torch::NoGradGuard no_grad;
  const EvalGuard eval(*model.module);
  const torch::Tensor x = torch::zeros(inputs, request.is_tokens ? torch::kLong : torch::kFloat);
  const torch::Tensor y = run_plugin(config.library, config.name, [&] { return model.forward(x); });
  if (y.sizes() != outputs)
    throw UsageError("[plugin] " + config.library + ": " + config.name + ": expected outputs " +
                     io::to_text(outputs) + " for inputs " + io::to_text(inputs) + ", got " +
                     io::to_text(y.sizes().vec()));
}

TrainableModel make_plugin_model(const ModelConfig& config, const ModelRequest& request) {
  const auto& factory =
      plugin_factory(load_plugin(config.library).models(), config.library, "model", config.name);
  TrainableModel model = run_plugin(config.library, config.name, [&] { return factory(request); });
  if (!model.module || !model.forward)
    throw UsageError("[plugin] " + config.library + ": " + config.name + ": expected a model, got none");
  check_outputs(model, request, config);
  return model;
}

}  // namespace

TrainableModel make_model(const ModelConfig& config, const ModelRequest& request) {
  if (!config.library.empty()) return make_plugin_model(config, request);
  check_takes(config.name, request);
  for (const Entry& entry : kModels)
    if (entry.name == config.name) return entry.make(config, request);
  throw UsageError("[model] name: expected one of the models, got \"" + config.name + "\"");
}

}  // namespace samebits::training
