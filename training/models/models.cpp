#include "training/models/models.h"

#include <torch/torch.h>

#include "io/error.h"
#include "torch_ext/config/yaml_reader.h"
#include "torch_ext/load_pt2.h"
#include "training/errors.h"
#include "training/library_errors.h"
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

/// A model that was made elsewhere must take the examples and give what the loss will take. `where` is what
/// messages begin with; `run` calls a forward, whose errors it tells in its own words.
template <class Run>
void check_outputs(const TrainableModel& model, const ModelRequest& request, const std::string& where,
                   const Run& run) {
  constexpr std::int64_t kExamples = 2;
  std::vector<std::int64_t> inputs = request.input, outputs{kExamples, request.outputs};
  inputs.insert(inputs.begin(), kExamples);
  if (request.is_tokens) outputs.insert(outputs.begin() + 1, request.input[0]);
  const torch::NoGradGuard no_grad;
  const EvalGuard eval(*model.module);
  const torch::Tensor x = torch::zeros(inputs, request.is_tokens ? torch::kLong : torch::kFloat);
  const torch::Tensor y = run([&] { return model.forward(x); });
  if (y.sizes() != outputs)
    throw UsageError(where + "expected outputs " + io::to_text(outputs) + " for inputs " +
                     io::to_text(inputs) + ", got " + io::to_text(y.sizes().vec()));
}

TrainableModel make_plugin_model(const ModelConfig& config, const ModelRequest& request) {
  const auto& factory =
      plugin_factory(load_plugin(config.library).models(), config.library, "model", config.name);
  TrainableModel model = run_plugin(config.library, config.name, [&] { return factory(request); });
  if (!model.module || !model.forward)
    throw UsageError("[plugin] " + config.library + ": " + config.name + ": expected a model, got none");
  check_outputs(model, request, "[plugin] " + config.library + ": " + config.name + ": ",
                [&](const auto& forward) { return run_plugin(config.library, config.name, forward); });
  return model;
}

/// The errors of a graph, without its scope: "[graph] input 1: expected [n, 8], got [2, 6]".
std::string without_scope(const std::string& text) {
  constexpr std::string_view kScope = "[graph] ";
  return text.starts_with(kScope) ? text.substr(kScope.size()) : text;
}

TrainableModel make_pt2_model(const ModelConfig& config, const ModelRequest& request) {
  const GraphModule graph = refusing([&] { return load_pt2(config.pt2); });
  const std::string where = "[model] " + config.pt2 + ": ";
  const std::vector<std::int64_t> batch = graph->axes().batch;
  if (batch.size() != 1)
    throw UsageError(where + "expected a model of one input, got one of " + std::to_string(batch.size()));
  if (batch[0] != 0)
    throw UsageError(
        where +
        "expected an input whose first size is free, got a fixed batch; name it in dynamic_shapes "
        "of torch.export.export");
  TrainableModel model = trainable_model(graph.ptr());
  const auto run = [&](const auto& forward) {
    try {
      return forward();
    } catch (const c10::Error& error) {
      if (is_out_of_memory(error)) throw;
      throw UsageError(where + without_scope(text_of(error)));
    }
  };
  refusing([&] { check_outputs(model, request, where, run); });  // eval mode may be refused too
  return model;
}

}  // namespace

TrainableModel make_model(const ModelConfig& config, const ModelRequest& request) {
  if (!config.library.empty()) return make_plugin_model(config, request);
  if (!config.pt2.empty()) return make_pt2_model(config, request);
  check_takes(config.name, request);
  for (const Entry& entry : kModels)
    if (entry.name == config.name) return entry.make(config, request);
  throw UsageError("[model] name: expected one of the models, got \"" + config.name + "\"");
}

}  // namespace samebits::training
