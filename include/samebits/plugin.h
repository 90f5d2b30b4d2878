// A plug-in: a shared library with models and data sets of yours, for the executable.
//
//   #include <samebits/plugin.h>
//   SAMEBITS_PLUGIN(registry) {
//     registry.add_model("mynet", [](const samebits::ModelRequest& request) {
//       return samebits::trainable_model(std::make_shared<MyNet>(request.input[0], request.outputs));
//     });
//   }
//
//   model: {library: libmynet.so, name: mynet}       # in a configuration
//
// It is loaded into the process of the executable: it must be built with the headers of the same samebits and
// LibTorch, which the executable checks by the text that SAMEBITS_PLUGIN leaves in it. What a factory throws
// ends the command with its text.
#pragma once

#include <torch/nn.h>
#include <torch/types.h>
#include <torch/version.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace samebits {

/// A module and its forward, x [n, …] to outputs [n, …].
struct TrainableModel {
  std::shared_ptr<torch::nn::Module> module;
  std::function<torch::Tensor(const torch::Tensor&)> forward;
};

/// Of a module with forward(Tensor) -> Tensor.
template <class Module>
TrainableModel trainable_model(std::shared_ptr<Module> module) {
  Module* raw = module.get();
  return {std::move(module), [raw](const torch::Tensor& x) -> torch::Tensor { return raw->forward(x); }};
}

/// What the data ask of a model.
struct ModelRequest {
  /// Of one example: {channels, height, width}, {length, features}, {features}, or {length} of tokens.
  std::vector<std::int64_t> input;
  std::int64_t outputs;    // classes, real targets, or tokens that there are
  bool is_tokens = false;  // inputs are int64, and each of them gets outputs of its own
};

/// Examples: x float32 [n, …], normalized as you like, or int64 [n, length] tokens; target int64 [n] of
/// classes, float32 [n, outputs], or int64 [n, length].
struct PluginPart {
  torch::Tensor x, target;
};
struct PluginData {
  PluginPart train, test;
  PluginPart validation = {};  // undefined: there is none
  std::int64_t outputs = 0;    // classes, real targets, or tokens that there are
};

/// What a plug-in has, by name.
class PluginRegistry {
 public:
  using ModelFactory = std::function<TrainableModel(const ModelRequest&)>;
  using DataFactory = std::function<PluginData()>;

  /// Parameters are to be drawn from torch's default generator, which the executable has seeded.
  void add_model(const std::string& name, ModelFactory factory) { models_[name] = std::move(factory); }
  void add_data(const std::string& name, DataFactory factory) { data_[name] = std::move(factory); }

  const std::map<std::string, ModelFactory>& models() const { return models_; }
  const std::map<std::string, DataFactory>& data() const { return data_; }

 private:
  std::map<std::string, ModelFactory> models_;
  std::map<std::string, DataFactory> data_;
};

/// Of this header; the types above are the interface.
#define SAMEBITS_PLUGIN_VERSION "samebits plug-in 1, LibTorch " TORCH_VERSION

}  // namespace samebits

#define SAMEBITS_PLUGIN_VISIBLE __attribute__((visibility("default")))
#define SAMEBITS_PLUGIN(registry)                                            \
  extern "C" SAMEBITS_PLUGIN_VISIBLE const char* samebits_plugin_version() { \
    return SAMEBITS_PLUGIN_VERSION;                                          \
  }                                                                          \
  extern "C" SAMEBITS_PLUGIN_VISIBLE void samebits_plugin_register(          \
      [[maybe_unused]] samebits::PluginRegistry& registry)
