// The models that `model.name` may say, and which data each takes. models.cpp has one factory for each, in
// this order. Torch-free: the configuration is read without LibTorch.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace samebits::training {

/// Features of a token where `model.width` says nothing.
inline constexpr std::int64_t kOwnWidth = 128;

struct ModelName {
  std::string_view name;
  // [channels, height, width]; [length, features]; [features]; tokens [length].
  bool takes_images, takes_sequences, takes_features, takes_tokens;
  bool takes_any_length;  // of sequences and tokens, whatever it was built for
};

inline constexpr std::array<ModelName, 8> kModelNames = {{
    {"cnn", true, false, false, false, false},
    {"mlp", true, true, true, false, false},
    {"resnet20", true, false, false, false, false},
    {"mobilenet", true, false, false, false, false},
    {"lstm", true, true, false, true, true},
    {"gru", true, true, false, true, true},
    {"transformer", true, true, false, false, false},
    {"gpt", false, false, false, true, false},
}};

inline std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const ModelName& each : kModelNames) names.emplace_back(each.name);
  return names;
}

/// Those that may take data of a source ("csv"); an npy file or a plug-in may hold anything.
inline std::vector<std::string> models_for(const std::string& source) {
  std::vector<std::string> names;
  for (const ModelName& each : kModelNames) {
    const bool takes = source == "text"                        ? each.takes_tokens
                       : source == "csv"                       ? each.takes_features
                       : source == "idx" || source == "images" ? each.takes_images
                                                               : true;
    if (takes) names.emplace_back(each.name);
  }
  return names;
}

inline bool takes_any_length(std::string_view name) {
  for (const ModelName& each : kModelNames)
    if (each.name == name) return each.takes_any_length;
  return false;
}

}  // namespace samebits::training
